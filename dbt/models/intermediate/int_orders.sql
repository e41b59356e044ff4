select
    {{ carried_address() }}
    _key_hash,
    order_id,
    user_id,
    order_status,
    coalesce(currency, {{ shop_currency() }}) as currency,
    region,
    order_amount,
    discount_amount,
    tax_amount,
    coalesce(order_status, '') not in ('cancelled', 'unavailable') as earns_revenue,
    {{ shop_date('ordered_at') }} as order_date,
    ordered_at,
    updated_at,
    approved_at,
    shipped_at,
    delivered_at
from {{ ref('stg_orders') }}
