select
    {{ row_address() }}
    _key_hash,
    order_id,
    touch_number,
    channel,
    campaign,
    device_os,
    session_id,
    model,
    weight,
    attributed_revenue,
    is_final,
    occurred_at
from {{ source('silver', 'order_touchpoints') }}
