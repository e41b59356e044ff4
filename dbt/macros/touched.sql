{#- Which keys of a gold model a load touched: queries of key_hash and load_id, by cause.

    They are macros and no models, so that the graph says of each model only what its rows are made
    from: a table whose publication is held back then holds exactly the models below it. -#}
{% macro touched_through(cause) %}
    {%- if cause == 'orders_of_users_history' -%}
        {{ return(touched_orders_of_users()) }}
    {%- elif cause == 'orders_of_products' -%}
        {{ return(touched_orders_of_products()) }}
    {%- elif cause == 'orders_of_categories' -%}
        {{ return(touched_orders_of_categories()) }}
    {%- elif cause == 'products_of_categories' -%}
        {{ return(touched_products_of_categories()) }}
    {%- else -%}
        {{ return(touched_directly(cause)) }}
    {%- endif -%}
{% endmacro %}


{#- Keys of a silver table itself, whose first key column is the model's key. -#}
{% macro touched_directly(table_name) %}
    select {{ key_hash('key_value') }} as key_hash, load_id
    from {{ source('aura', 'touched') }}
    where table_name = '{{ table_name }}'
{% endmacro %}


{#- Orders of users whose versions changed. -#}
{% macro touched_orders_of_users() %}
    select orders._key_hash as key_hash, touched.load_id
    from {{ source('silver', 'orders') }} as orders
    inner join {{ source('aura', 'touched') }} as touched
        on orders.user_id = touched.key_value
    where touched.table_name = 'users_history'
{% endmacro %}


{#- Orders with a line of a product that changed, came late or went. -#}
{% macro touched_orders_of_products() %}
    select order_items._key_hash as key_hash, touched.load_id
    from {{ source('silver', 'order_items') }} as order_items
    inner join {{ source('aura', 'touched') }} as touched
        on order_items.product_id = touched.key_value
    where touched.table_name = 'products'
{% endmacro %}


{#- Orders with a line of a product whose category has another translation. -#}
{% macro touched_orders_of_categories() %}
    select order_items._key_hash as key_hash, touched.load_id
    from {{ source('silver', 'order_items') }} as order_items
    inner join {{ source('silver', 'products') }} as products
        on order_items.product_id = products.product_id
    inner join {{ source('aura', 'touched') }} as touched
        on products.category = touched.key_value
    where touched.table_name = 'categories'
{% endmacro %}


{% macro touched_products_of_categories() %}
    select products._key_hash as key_hash, touched.load_id
    from {{ source('silver', 'products') }} as products
    inner join {{ source('aura', 'touched') }} as touched
        on products.category = touched.key_value
    where touched.table_name = 'categories'
{% endmacro %}
