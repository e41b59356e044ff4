{{ config(pre_hook="{{ begin_reading(['users_history']) }}") }}

with

users_history as (

    {{ read_rows(ref('stg_users_history')) }}

),

customer_versions as (

    {{ customer_versions('users_history') }}

),

known_customers as (

    select
        _key_hash,
        customer_key,
        user_id,
        city,
        state,
        zip_code,
        region,
        country,
        is_current,
        valid_from,
        valid_to
    from customer_versions

),

unknown_member as (

    select
        {{ key_hash("'unknown'") }} as _key_hash,
        'unknown' as customer_key,
        cast(null as varchar) as user_id,
        cast(null as varchar) as city,
        cast(null as varchar) as state,
        cast(null as varchar) as zip_code,
        cast(null as varchar) as region,
        cast(null as varchar) as country,
        false as is_current,
        cast(null as timestamp) as valid_from,
        cast(null as timestamp) as valid_to
    {{ if_it_is_read("'unknown'") }}

),

customers as (

    select * from known_customers
    union all
    select * from unknown_member

)

select * from customers
