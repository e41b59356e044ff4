{{
    config(
        pre_hook="{{ begin_reading() }}",
        meta={"is_compared_whole": true},
    )
}}

with

orders as (

    select * from {{ ref('stg_orders') }}

),

digits as (

    {% for digit in range(10) -%}
        select {{ digit }} as digit
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

span as (

    select
        cast(date_trunc('month', {{ shop_date('min(ordered_at)') }}) as date) as first_day,
        cast(last_day({{ shop_date('max(ordered_at)') }}) as date) as last_day
    from orders

),

thousands as (

    select units.digit + 10 * tens.digit + 100 * hundreds.digit as number
    from digits as units
    cross join digits as tens
    cross join digits as hundreds

),

-- Up to 10,000 blocks of 1,000 days, of which only those that the span reaches are made.
blocks as (

    select 1000 * (thousands.number + 1000 * digits.digit) as first_number
    from thousands
    cross join digits
    cross join span
    where 1000 * (thousands.number + 1000 * digits.digit) <= span.last_day - span.first_day

),

days as (

    select {{ add_days('span.first_day', '(blocks.first_number + thousands.number)') }} as date_day
    from span
    cross join blocks
    cross join thousands
    where blocks.first_number + thousands.number <= span.last_day - span.first_day

),

described as (

    select
        {{ key_hash('cast(date_day as varchar)') }} as _key_hash,
        cast(extract(year from date_day) as integer) as year_number,
        cast(extract(quarter from date_day) as integer) as quarter_number,
        cast(extract(month from date_day) as integer) as month_number,
        cast({{ iso_week('date_day') }} as integer) as week_number,
        cast(extract(day from date_day) as integer) as day_of_month,
        cast({{ iso_day_of_week('date_day') }} as integer) as day_of_week,
        {{ iso_day_of_week('date_day') }} >= 6 as is_weekend,
        cast(date_trunc('month', date_day) as date) as month_start,
        date_day
    from days

)

select
    _key_hash,
    date_day,
    year_number,
    quarter_number,
    month_number,
    week_number,
    day_of_month,
    day_of_week,
    is_weekend,
    month_start
from described
