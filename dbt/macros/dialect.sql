{#- What DuckDB and Snowflake say differently. One macro a difference, dispatched. -#}

{#- A text's hash as a number of eight bytes: equal texts, equal numbers; a collision only
    makes a build recompute one key more. -#}
{% macro key_hash(text) %}{{ return(adapter.dispatch('key_hash')(text)) }}{% endmacro %}
{% macro duckdb__key_hash(text) %}md5_number_lower({{ text }}){% endmacro %}
{% macro snowflake__key_hash(text) %}md5_number_lower64({{ text }}){% endmacro %}


{#- The row's address, as the column _row, where the engine has one. -#}
{% macro row_address() %}{{ return(adapter.dispatch('row_address')()) }}{% endmacro %}
{% macro duckdb__row_address() %}rowid as _row,{% endmacro %}
{% macro snowflake__row_address() %}{% endmacro %}


{#- The date of a UTC time in the shop's time zone. -#}
{% macro shop_date(utc_time) %}
    {%- set zone = var('shop_time_zone') -%}
    {%- if "'" in zone -%}
        {{ exceptions.raise_compiler_error("shop_time_zone is not the name of a time zone: " ~ zone) }}
    {%- endif -%}
    {{ return(adapter.dispatch('shop_date')(utc_time, zone)) }}
{% endmacro %}
{% macro duckdb__shop_date(utc_time, zone) -%}
    {%- if zone == 'UTC' -%}
    cast({{ utc_time }} as date)
    {%- else -%}
    cast(({{ utc_time }} at time zone 'UTC') at time zone '{{ zone }}' as date)
    {%- endif -%}
{%- endmacro %}
{% macro snowflake__shop_date(utc_time, zone) -%}
    cast(convert_timezone('UTC', '{{ zone }}', {{ utc_time }}) as date)
{%- endmacro %}


{#- Microseconds since 1970 of a UTC time. -#}
{% macro epoch_micros(utc_time) %}{{ return(adapter.dispatch('epoch_micros')(utc_time)) }}{% endmacro %}
{% macro duckdb__epoch_micros(utc_time) %}epoch_us({{ utc_time }}){% endmacro %}
{% macro snowflake__epoch_micros(utc_time) %}date_part(epoch_microsecond, {{ utc_time }}){% endmacro %}


{#- A date so many days later. -#}
{% macro add_days(day, days) %}{{ return(adapter.dispatch('add_days')(day, days)) }}{% endmacro %}
{% macro duckdb__add_days(day, days) %}{{ day }} + cast({{ days }} as integer){% endmacro %}
{% macro snowflake__add_days(day, days) %}cast(dateadd(day, {{ days }}, {{ day }}) as date){% endmacro %}


{#- Monday is 1, Sunday 7. -#}
{% macro iso_day_of_week(day) %}{{ return(adapter.dispatch('iso_day_of_week')(day)) }}{% endmacro %}
{% macro duckdb__iso_day_of_week(day) %}isodow({{ day }}){% endmacro %}
{% macro snowflake__iso_day_of_week(day) %}dayofweekiso({{ day }}){% endmacro %}


{% macro iso_week(day) %}{{ return(adapter.dispatch('iso_week')(day)) }}{% endmacro %}
{% macro duckdb__iso_week(day) %}week({{ day }}){% endmacro %}
{% macro snowflake__iso_week(day) %}weekiso({{ day }}){% endmacro %}


{#- The month of a date, as changes are recorded by: 'YYYY-MM'; 'unknown' without a date. -#}
{% macro period_of(day) -%}
    coalesce(substr(cast({{ day }} as varchar), 1, 7), 'unknown')
{%- endmacro %}


{#- The address of a row of a view that only renames and computes. -#}
{% macro carried_address() %}{{ return(adapter.dispatch('carried_address')()) }}{% endmacro %}
{% macro duckdb__carried_address() %}_row,{% endmacro %}
{% macro snowflake__carried_address() %}{% endmacro %}


{#- The shop's currency as a literal, null where the shop has none. -#}
{% macro shop_currency() -%}
    {%- set currency = var('shop_currency') -%}
    {%- if "'" in currency -%}
        {{ exceptions.raise_compiler_error("shop_currency is not a currency code: " ~ currency) }}
    {%- endif -%}
    {{ "'" ~ currency ~ "'" if currency else "cast(null as varchar)" }}
{%- endmacro %}
