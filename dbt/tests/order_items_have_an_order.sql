-- Both sides by changed keys: a relationship test would read every order.
with

order_items as (

    {{ changed_rows_of(ref('fct_order_items'), ['fct_order_items', 'fct_orders']) }}

),

orders as (

    {{ changed_rows_of(ref('fct_orders'), ['fct_order_items', 'fct_orders']) }}

)

select order_items.order_id
from order_items
left join orders
    on order_items.order_id = orders.order_id
where orders.order_id is null
