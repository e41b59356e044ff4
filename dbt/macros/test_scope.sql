{#- Tests of a mart read the rows that differ from what was published; after a full build, and
    with `--vars 'test_scope: all'`, all of them. -#}


{#- dbt calls this for the model under test. -#}
{% macro get_where_subquery(relation) -%}
    {%- set condition = config.get('where') -%}
    {%- if execute and relation.identifier is defined and relation.identifier[:4] in ('dim_', 'fct_') -%}
        {%- set rows = changed_rows_of(relation, [relation.identifier]) -%}
    {%- else -%}
        {%- set rows = 'select * from ' ~ relation -%}
    {%- endif -%}
    {%- if condition -%}
        {%- set rows = 'select * from (' ~ rows ~ ') as in_scope where ' ~ condition -%}
    {%- endif -%}
    {{ return('(' ~ rows ~ ') dbt_subquery') }}
{%- endmacro %}


{#- Rows of a mart whose keys changed in any of `models`. -#}
{% macro changed_rows_of(relation, models) -%}
    {%- if everything_changed(models) -%}
        {{ return('select * from ' ~ relation) }}
    {%- endif -%}
    {{ return(own_rows_of_keys(relation, '*', changed_keys_of(models))) }}
{%- endmacro %}


{#- The same of a staging view. -#}
{% macro staged_rows_of_changed(relation, models) -%}
    {%- if everything_changed(models) -%}
        {{ return('select * from ' ~ relation) }}
    {%- endif -%}
    {{ return(rows_of_keys(relation, changed_keys_of(models))) }}
{%- endmacro %}


{% macro changed_keys_of(models) -%}
    select key_hash from {{ source('aura', 'changed_keys') }}
    where model in ('{{ models | join("', '") }}')
{%- endmacro %}


{% macro everything_changed(models) -%}
    {%- if var('test_scope') == 'all' or not execute -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set marks = run_query(
        "select count(*) from " ~ source('aura', 'changed_keys')
        ~ " where key_hash is null and model in ('" ~ models | join("', '") ~ "')"
    ) -%}
    {{ return(marks.columns[0].values()[0] > 0) }}
{%- endmacro %}
