select
    {{ row_address() }}
    _key_hash,
    product_id,
    product_name,
    category,
    brand,
    list_price
from {{ source('silver', 'products') }}
