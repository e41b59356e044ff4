select
    {{ row_address() }}
    _key_hash,
    order_id,
    user_id,
    order_status,
    currency,
    region,
    order_amount,
    discount_amount,
    tax_amount,
    ordered_at,
    updated_at,
    approved_at,
    shipped_at,
    delivered_at
from {{ source('silver', 'orders') }}
