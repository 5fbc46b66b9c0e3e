-- Erasing what is remembered of one record.

-- erasure_actions
-- Lines of its binding, and those that name it by its id on either side.
select *
from actions
where link = $1 and stream = $2 and id > $6 and (
    binding = $3
    or $4::text <> '' and case side when 'a' then target else origin end = $4
    or $5::text <> '' and case side when 'b' then target else origin end = $5
)
order by id
limit $7

-- erase_actions
update actions
set reason = n.reason, target = n.target, origin = n.origin, error = n.error, data = n.data
from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    as n (id, reason, target, origin, error, data)
where actions.link = $1 and actions.id = n.id

-- erase_planned
-- A plan shows what it would write: its lines about the record go, and what waits for a yes is derived again.
with gone as (
    delete from plan_actions
    using plans
    where plans.id = plan_actions.plan and plans.link = $1 and plan_actions.binding = $2
    returning plan_actions.plan
), left_over as (
    update plans
    set actions = plans.actions - n.count,
        state = case when plans.state in ('open', 'approved') and plans.actions = n.count then 'superseded' else plans.state end
    from (select plan, count(*) as count from gone group by plan) as n
    where plans.id = n.plan
)
select count(*) from gone

-- erasure_parked
select *
from parked
where link = $1 and (
    binding = $2 or stream = $3 and (side = 'a' and record = $4 or side = 'b' and record = $5)
)

-- erase_parked
update parked
set record = n.record, reason = n.reason, detail = n.detail,
    decision = null, decided_on = null, decided_by = null, decided = null
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as n (id, record, reason, detail)
where parked.id = n.id
