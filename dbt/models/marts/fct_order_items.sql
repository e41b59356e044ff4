{{ config(pre_hook="{{ begin_reading(['orders', 'order_items', 'orders_of_products']) }}") }}

with

orders as (

    {{ read_rows(ref('int_orders')) }}

),

order_lines as (

    {{ read_rows(ref('int_order_lines')) }}

),

products as (

    {{ read_rows(ref('stg_products'), hashes_of('product_id', 'order_lines')) }}

),

described as (

    select
        orders._key_hash,
        order_lines.order_id,
        order_lines.line_number,
        order_lines.product_id,
        coalesce({{ product_key('products.product_id') }}, 'unknown') as product_key,
        orders.order_status,
        orders.currency,
        order_lines.quantity,
        order_lines.unit_price,
        order_lines.gross_revenue,
        order_lines.discount_amount,
        cast(
            case
                when orders.earns_revenue then order_lines.gross_revenue - coalesce(order_lines.discount_amount, 0)
                else 0
            end as decimal(18, 4)
        ) as net_revenue,
        order_lines.shipping_amount,
        orders.order_date,
        orders.ordered_at
    from orders
    inner join order_lines
        on orders.order_id = order_lines.order_id
    left join products
        on order_lines.product_id = products.product_id

)

select * from described
