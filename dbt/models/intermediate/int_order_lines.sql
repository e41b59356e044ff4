select
    {{ carried_address() }}
    _key_hash,
    order_id,
    line_number,
    product_id,
    quantity,
    unit_price,
    discount_amount,
    shipping_amount,
    cast(coalesce(quantity * unit_price, 0) as decimal(18, 4)) as gross_revenue
from {{ ref('stg_order_items') }}
