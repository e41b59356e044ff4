select
    {{ row_address() }}
    _key_hash,
    order_id,
    line_number,
    product_id,
    quantity,
    unit_price,
    discount_amount,
    shipping_amount
from {{ source('silver', 'order_items') }}
