select
    {{ row_address() }}
    _key_hash,
    user_id,
    email_hash,
    name_hash,
    city,
    state,
    zip_code,
    region,
    country,
    created_at
from {{ source('silver', 'users') }}
