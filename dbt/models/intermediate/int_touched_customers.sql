select
    {{ key_hash('key_value') }} as key_hash,
    key_value as user_id,
    table_name as touched_through,
    load_id
from {{ source('aura', 'touched') }}
where table_name = 'users_history'
