with

touched as (

    select * from {{ source('aura', 'touched') }}
    where table_name in ('products', 'categories')

),

products as (

    select * from {{ ref('stg_products') }}

),

touched_directly as (

    select
        key_value as product_id,
        'products' as touched_through,
        load_id
    from touched
    where table_name = 'products'

),

touched_by_translation as (

    select
        products.product_id,
        'categories' as touched_through,
        touched.load_id
    from products
    inner join touched
        on products.category = touched.key_value
    where touched.table_name = 'categories'

),

touched_products as (

    select * from touched_directly
    union all
    select * from touched_by_translation

)

select
    {{ key_hash('product_id') }} as key_hash,
    product_id,
    touched_through,
    load_id
from touched_products
