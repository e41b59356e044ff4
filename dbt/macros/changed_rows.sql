{#- Incremental strategy: of the keys that were read again, replace those whose rows differ.

    A key that was touched and came out as it stood changes nothing, so that its month is not
    published again. A key with rows before and none now is deleted. A model without touched
    keys (dim_date) is compared whole. All of it is DML, in one transaction. -#}
{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {%- set target_relation = arg_dict['target_relation'] -%}
    {%- set fresh = arg_dict['temp_relation'] -%}
    {%- set names = arg_dict['dest_columns'] | map(attribute='name') | list -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set model_name = target_relation.identifier | lower -%}
    {%- set has_periods = 'order_date' in (names | map('lower')) -%}
    {%- set changed -%}
        select key_hash from {{ source('aura', 'changed_keys') }}
        where model = '{{ model_name }}' and invocation_id = '{{ invocation_id }}'
    {%- endset -%}
    {%- set fresh_rows = 'select ' ~ columns ~ ' from ' ~ fresh -%}
    {%- set standing_rows -%}
        {%- if config.get('meta', {}).get('is_compared_whole') -%}
            select {{ columns }} from {{ target_relation }}
        {%- else -%}
            {{ own_rows_of_keys(target_relation, columns, keys_to_read()) }}
        {%- endif -%}
    {%- endset -%}
    {%- set replace_rows -%}
        insert into {{ source('aura', 'changed_keys') }} (model, key_hash, invocation_id)
        select distinct '{{ model_name }}', differing._key_hash, '{{ invocation_id }}'
        from (
            ({{ counted_rows(fresh_rows, columns) }} except {{ counted_rows(standing_rows, columns) }})
            union all
            ({{ counted_rows(standing_rows, columns) }} except {{ counted_rows(fresh_rows, columns) }})
        ) as differing;

        insert into {{ source('aura', 'changed_periods') }} (model, period)
        {% if has_periods -%}
        select '{{ model_name }}', dated.period
        from (
            select {{ period_of('order_date') }} as period
            from {{ target_relation }} where _key_hash in ({{ changed }})
            union
            select {{ period_of('order_date') }} as period
            from {{ fresh }} where _key_hash in ({{ changed }})
        ) as dated;
        {%- else -%}
        select '{{ model_name }}', cast(null as varchar) where exists ({{ changed }});
        {%- endif %}

        delete from {{ target_relation }} where _key_hash in ({{ changed }});

        insert into {{ target_relation }} ({{ columns }})
        select {{ columns }} from {{ fresh }} where _key_hash in ({{ changed }})
    {%- endset -%}
    {{ return(adapter.dispatch('in_one_transaction')(replace_rows)) }}
{% endmacro %}


{#- `except` alone would take two equal rows for one. -#}
{% macro counted_rows(rows, columns) -%}
    select {{ columns }}, count(*) as copies from ({{ rows }}) as counted group by {{ columns }}
{%- endmacro %}


{#- dbt-duckdb runs a whole model in one transaction. -#}
{% macro duckdb__in_one_transaction(statements) %}{{ return(statements) }}{% endmacro %}

{% macro snowflake__in_one_transaction(statements) %}
    {#- The name by which the next process finds it, should this one be killed. -#}
    {% set transaction -%}
        begin transaction name aura_{{ target.database | lower }};
        {{ statements }};
        commit;
    {%- endset %}
    {{ return(transaction) }}
{% endmacro %}
