select
    {{ row_address() }}
    _key_hash,
    category,
    category_name
from {{ source('silver', 'categories') }}
