{#- What several marts say in the same words. Each is the body of a CTE. -#}


{#- Hash of the user_id and the microsecond the version began. -#}
{% macro customer_key(user_id, valid_from) -%}
    md5({{ user_id }} || '|' || coalesce(cast({{ epoch_micros(valid_from) }} as varchar), ''))
{%- endmacro %}


{#- Versions of customers by their address: consecutive versions of a user that agree in it and
    leave no gap are one. In: a CTE of users_history with all versions of each user in it.
    `is_first`: the version that look-ups take as valid from the beginning of time. -#}
{% macro customer_versions(users_history) %}
    {%- set in_time = 'over (partition by user_id order by valid_from nulls first)' -%}
    {%- set whole_version -%}
        over (
            partition by user_id, version_number order by valid_from nulls first
            rows between unbounded preceding and unbounded following
        )
    {%- endset -%}
    select
        _key_hash,
        {{ customer_key('user_id', 'valid_from') }} as customer_key,
        user_id,
        city,
        state,
        zip_code,
        region,
        country,
        is_current,
        valid_from,
        valid_to,
        version_number = 1 as is_first
    from (
        select
            _key_hash,
            user_id,
            city,
            state,
            zip_code,
            region,
            country,
            version_number,
            valid_from,
            begins_version,
            last_value(is_current) {{ whole_version }} as is_current,
            last_value(valid_to) {{ whole_version }} as valid_to
        from (
            select
                *,
                sum(case when begins_version then 1 else 0 end) over (
                    partition by user_id order by valid_from nulls first
                    rows between unbounded preceding and current row
                ) as version_number
            from (
                select
                    *,
                    row_number() {{ in_time }} = 1
                    or lag(valid_to) {{ in_time }} is distinct from valid_from
                    or lag(city) {{ in_time }} is distinct from city
                    or lag(state) {{ in_time }} is distinct from state
                    or lag(zip_code) {{ in_time }} is distinct from zip_code
                    or lag(region) {{ in_time }} is distinct from region
                    or lag(country) {{ in_time }} is distinct from country
                    as begins_version
                from {{ users_history }}
            ) as compared
        ) as numbered
    ) as merged
    where begins_version
{% endmacro %}


{#- Joins an order to the version of its customer at its time; null where there was none. -#}
{% macro is_version_of_order(customers, orders) -%}
    {{ orders }}.user_id = {{ customers }}.user_id
    and ({{ customers }}.is_first or {{ customers }}.valid_from <= {{ orders }}.ordered_at)
    and ({{ customers }}.valid_to is null or {{ orders }}.ordered_at < {{ customers }}.valid_to)
{%- endmacro %}


{#- The last click of each order, whatever the model of attribution. In: a CTE of touchpoints. -#}
{% macro last_touches(order_touchpoints) %}
    select
        order_id,
        channel,
        campaign,
        device_os,
        occurred_at as attributed_at
    from {{ order_touchpoints }}
    qualify row_number() over (
        partition by order_id order by touch_number desc, occurred_at desc, model asc
    ) = 1
{% endmacro %}


{#- Product rows as people read them: the category is its translation where there is one. -#}
{% macro translated_products(products, categories) %}
    select
        products._key_hash,
        {{ product_key('products.product_id') }} as product_key,
        products.product_id,
        products.product_name,
        coalesce(categories.category_name, products.category) as category,
        products.brand,
        products.list_price
    from {{ products }} as products
    left join {{ categories }} as categories
        on products.category = categories.category
{% endmacro %}


{% macro product_key(product_id) %}md5({{ product_id }}){% endmacro %}
