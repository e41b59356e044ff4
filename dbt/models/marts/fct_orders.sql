{{
    config(
        pre_hook="{{ begin_reading([
            'orders', 'order_items', 'payments', 'order_touchpoints',
            'orders_of_users_history'
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

payments as (

    {{ read_rows(ref('stg_payments')) }}

),

order_touchpoints as (

    {{ read_rows(ref('stg_order_touchpoints')) }}

),

users_history as (

    {{ read_rows(ref('stg_users_history'), hashes_of('user_id', 'orders')) }}

),

customer_versions as (

    {{ customer_versions('users_history') }}

),

last_touches as (

    {{ last_touches('order_touchpoints') }}

),

order_totals as (

    select
        order_id,
        count(*) as line_count,
        sum(gross_revenue) as gross_revenue,
        sum(gross_revenue - coalesce(discount_amount, 0)) as net_revenue
    from order_lines
    group by order_id

),

order_payments as (

    select
        order_id,
        count(*) as payment_count,
        sum(amount) as paid_amount
    from payments
    group by order_id

),

priced as (

    select
        orders.*,
        coalesce(order_totals.line_count, 0) as line_count,
        coalesce(order_totals.gross_revenue, orders.order_amount, 0) as gross_revenue,
        case
            when orders.earns_revenue then coalesce(order_totals.net_revenue, orders.order_amount, 0)
            else 0
        end as net_revenue
    from orders
    left join order_totals
        on orders.order_id = order_totals.order_id

),

described as (

    select
        priced._key_hash,
        priced.order_id,
        priced.user_id,
        coalesce(customer_versions.customer_key, 'unknown') as customer_key,
        priced.order_status,
        priced.currency,
        priced.region,
        last_touches.channel,
        last_touches.campaign,
        last_touches.device_os,
        cast(priced.line_count as integer) as line_count,
        cast(priced.gross_revenue as decimal(18, 4)) as gross_revenue,
        cast(priced.net_revenue as decimal(18, 4)) as net_revenue,
        priced.order_amount,
        priced.discount_amount,
        priced.tax_amount,
        cast(coalesce(order_payments.payment_count, 0) as integer) as payment_count,
        cast(coalesce(order_payments.paid_amount, 0) as decimal(18, 4)) as paid_amount,
        priced.order_date,
        priced.ordered_at,
        priced.approved_at,
        priced.shipped_at,
        priced.delivered_at,
        priced.updated_at,
        last_touches.attributed_at
    from priced
    left join order_payments
        on priced.order_id = order_payments.order_id
    left join last_touches
        on priced.order_id = last_touches.order_id
    left join customer_versions
        on {{ is_version_of_order('customer_versions', 'priced') }}

)

select * from described
