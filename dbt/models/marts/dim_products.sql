{{ config(pre_hook="{{ begin_reading(['products', 'products_of_categories']) }}") }}

with

products as (

    {{ read_rows(ref('stg_products')) }}

),

categories as (

    select * from {{ ref('stg_categories') }}

),

known_products as (

    {{ translated_products('products', 'categories') }}

),

unknown_member as (

    select
        {{ key_hash("'unknown'") }} as _key_hash,
        'unknown' as product_key,
        cast(null as varchar) as product_id,
        cast(null as varchar) as product_name,
        cast(null as varchar) as category,
        cast(null as varchar) as brand,
        cast(null as decimal(18, 4)) as list_price
    {{ if_it_is_read("'unknown'") }}

),

all_products as (

    select * from known_products
    union all
    select * from unknown_member

)

select * from all_products
