with

touched as (

    select * from {{ source('aura', 'touched') }}

),

orders as (

    select * from {{ ref('stg_orders') }}

),

order_items as (

    select * from {{ ref('stg_order_items') }}

),

touched_products as (

    select * from {{ ref('int_touched_products') }}

),

touched_customers as (

    select * from {{ ref('int_touched_customers') }}

),

touched_directly as (

    select
        {{ key_hash('key_value') }} as key_hash,
        table_name as touched_through,
        load_id
    from touched
    where table_name in ('orders', 'order_items', 'payments', 'order_touchpoints')

),

touched_by_product as (

    select
        order_items._key_hash as key_hash,
        touched_products.touched_through,
        touched_products.load_id
    from order_items
    inner join touched_products
        on order_items.product_id = touched_products.product_id

),

touched_by_customer as (

    select
        orders._key_hash as key_hash,
        touched_customers.touched_through,
        touched_customers.load_id
    from orders
    inner join touched_customers
        on orders.user_id = touched_customers.user_id

)

select * from touched_directly
union all
select * from touched_by_product
union all
select * from touched_by_customer
