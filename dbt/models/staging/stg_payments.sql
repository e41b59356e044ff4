select
    {{ row_address() }}
    _key_hash,
    order_id,
    payment_number,
    payment_type,
    amount,
    installments,
    paid_at
from {{ source('silver', 'payments') }}
