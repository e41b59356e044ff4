{{ config(enabled=('users' in var('shop_tables'))) }}
-- Law 5: a live user has one current version, a deleted user none.
with

customers as (

    {{ changed_rows_of(ref('dim_customers'), ['dim_customers']) }}

),

users as (

    {{ staged_rows_of_changed(ref('stg_users'), ['dim_customers']) }}

),

current_versions as (

    select
        user_id,
        count(*) as version_count
    from customers
    where is_current
    group by user_id

)

select
    users.user_id as live_user_id,
    current_versions.user_id as current_user_id,
    current_versions.version_count
from current_versions
full outer join users
    on current_versions.user_id = users.user_id
where
    users.user_id is null
    or current_versions.user_id is null
    or current_versions.version_count > 1
