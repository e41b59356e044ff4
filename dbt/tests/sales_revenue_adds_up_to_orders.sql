-- Law 6: the revenue of an order's lines is the order's revenue, to the cent; neither is without the other.
with

sales as (

    {{ changed_rows_of(ref('fct_sales_revenue'), ['fct_sales_revenue', 'fct_orders']) }}

),

orders as (

    {{ changed_rows_of(ref('fct_orders'), ['fct_sales_revenue', 'fct_orders']) }}

),

sales_by_order as (

    select
        order_id,
        sum(gross_revenue) as gross_revenue,
        sum(net_revenue) as net_revenue
    from sales
    group by order_id

)

select
    coalesce(orders.order_id, sales_by_order.order_id) as order_id,
    orders.gross_revenue,
    orders.net_revenue,
    sales_by_order.gross_revenue as sold_gross_revenue,
    sales_by_order.net_revenue as sold_net_revenue
from orders
full outer join sales_by_order
    on orders.order_id = sales_by_order.order_id
where
    orders.order_id is distinct from sales_by_order.order_id
    or orders.gross_revenue is distinct from sales_by_order.gross_revenue
    or orders.net_revenue is distinct from sales_by_order.net_revenue
