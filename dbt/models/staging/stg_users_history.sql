select
    {{ row_address() }}
    _key_hash,
    user_id,
    city,
    state,
    zip_code,
    region,
    country,
    is_current,
    valid_from,
    valid_to
from {{ source('silver', 'users_history') }}
