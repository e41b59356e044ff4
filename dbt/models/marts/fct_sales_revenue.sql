{{
    config(
        pre_hook="{{ begin_reading([
            'orders', 'order_items', 'order_touchpoints',
            'orders_of_users_history', 'orders_of_products', 'orders_of_categories'
        ]) }}",
    )
}}

with

orders as (

    {{ read_rows(ref('int_orders')) }}

),

order_lines as (

    {{ read_rows(ref('int_order_lines')) }}

),

order_touchpoints as (

    {{ read_rows(ref('stg_order_touchpoints')) }}

),

users_history as (

    {{ read_rows(ref('stg_users_history'), hashes_of('user_id', 'orders')) }}

),

products as (

    {{ read_rows(ref('stg_products'), hashes_of('product_id', 'order_lines')) }}

),

categories as (

    select * from {{ ref('stg_categories') }}

),

customer_versions as (

    {{ customer_versions('users_history') }}

),

last_touches as (

    {{ last_touches('order_touchpoints') }}

),

known_products as (

    {{ translated_products('products', 'categories') }}

),

-- An order keeps one row of its own, number '0', until lines of it are known.
lines_of_orders as (

    select
        orders.order_id,
        coalesce(order_lines.line_number, '0') as line_number,
        order_lines.product_id,
        order_lines.quantity,
        case
            when order_lines.order_id is null then coalesce(orders.order_amount, 0)
            else order_lines.gross_revenue
        end as gross_revenue,
        coalesce(order_lines.discount_amount, 0) as discount_amount
    from orders
    left join order_lines
        on orders.order_id = order_lines.order_id

),

sales as (

    select
        orders._key_hash,
        lines_of_orders.order_id,
        lines_of_orders.line_number,
        orders.ordered_at,
        orders.order_date,
        orders.order_status,
        orders.user_id,
        coalesce(customer_versions.customer_key, 'unknown') as customer_key,
        lines_of_orders.product_id,
        known_products.category,
        known_products.brand,
        lines_of_orders.quantity,
        cast(lines_of_orders.gross_revenue as decimal(18, 4)) as gross_revenue,
        cast(
            case
                when orders.earns_revenue then lines_of_orders.gross_revenue - lines_of_orders.discount_amount
                else 0
            end as decimal(18, 4)
        ) as net_revenue,
        orders.currency,
        orders.region,
        last_touches.channel,
        last_touches.campaign,
        last_touches.device_os,
        last_touches.attributed_at
    from lines_of_orders
    inner join orders
        on lines_of_orders.order_id = orders.order_id
    left join known_products
        on lines_of_orders.product_id = known_products.product_id
    left join last_touches
        on lines_of_orders.order_id = last_touches.order_id
    left join customer_versions
        on {{ is_version_of_order('customer_versions', 'orders') }}

)

select * from sales
