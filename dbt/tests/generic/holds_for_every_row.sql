{#- An identity: the condition is true in every row. One that yields null fails. -#}
{% test holds_for_every_row(model, condition) %}
    select *
    from {{ model }}
    where ({{ condition }}) is distinct from true
{% endtest %}
