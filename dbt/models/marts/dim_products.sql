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

{% if not is_incremental() %}
    unknown_member as (

        select
            {{ key_hash("'unknown'") }} as _key_hash,
            'unknown' as product_key,
            cast(null as varchar) as product_id,
            cast(null as varchar) as product_name,
            cast(null as varchar) as category,
            cast(null as varchar) as brand,
            cast(null as decimal(18, 4)) as list_price

    ),
{% endif %}

all_products as (

    select * from known_products
    {% if not is_incremental() %}
        union all
        select * from unknown_member
    {% endif %}

)

select * from all_products
