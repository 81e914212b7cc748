"""What may each role open? One table, of which docs/roles.md tells people.

A role opens pages of the console. Who is asked to decide is said by the groups that
flows name, never by a role.
"""

from __future__ import annotations

# What people look at to see how things stand: rules, agents, what ran and who decided.
_RULES = (
    "governance.view_actiontype",
    "governance.view_resource",
    "policies.view_backtest",
    "policies.view_calendar",
    "policies.view_flow",
    "policies.view_lookback",
    "policies.view_policy",
    "policies.view_policytest",
    "policies.view_proposedchange",
    "policies.view_revision",
    "policies.view_riskfactor",
    "policies.view_ruleset",
    "policies.view_version",
)
_REQUESTS = (
    "approvals.view_all_approvalrequest",
    "approvals.view_approvalrequest",
    "approvals.view_breakglass",
    "approvals.view_bypassreview",
    "approvals.view_delegation",
    "governance.view_action",
    "governance.view_freeze",
)
_RECORD = (
    "auth.view_group",
    "governance.export_event",
    "governance.view_agent",
    "governance.view_agentkey",
    "governance.view_event",
    "governance.view_user",
    "notifications.view_delivery",
    "notifications.view_phrase",
    "notifications.view_place",
    "notifications.view_rota",
    "notifications.view_rule",
    "notifications.view_webhook",
    "notifications.view_webhookmessage",
)
_WRITE_RULES = (
    *(
        f"{app}.{verb}_{model}"
        for app, model in (
            ("governance", "actiontype"),
            ("governance", "resource"),
            ("policies", "calendar"),
            ("policies", "flow"),
            ("policies", "lookback"),
            ("policies", "policy"),
            ("policies", "policytest"),
            ("policies", "riskfactor"),
        )
        for verb in ("add", "change", "delete")
    ),
    "policies.change_ruleset",
    "policies.confirm_proposedchange",
    "policies.restore_revision",
)
_MESSAGES = tuple(
    f"notifications.{verb}_{model}"
    for model in ("phrase", "place", "rule", "rota")
    for verb in ("add", "change", "delete")
)
_PRESETS = tuple(
    f"approvals.{verb}_presetreason" for verb in ("add", "change", "delete", "view")
)

# The name of the group, what it is for in a sentence, and what it may.
ROLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "Role: approver",
        "Opens the queue. What one is asked to decide follows from the other groups.",
        ("approvals.view_approvalrequest",),
    ),
    (
        "Role: team lead",
        "Sees every request and how carefully people decide. Hands over queues, has "
        "requests judged again, presses the stop buttons and may break the glass.",
        (
            *_REQUESTS,
            *_PRESETS,
            "approvals.break_glass",
            "approvals.delegate_for_others",
            "approvals.rejudge_approvalrequest",
            "approvals.view_vigilance",
            "governance.freeze_actions",
        ),
    ),
    (
        "Role: policy author",
        "Writes and tries rules, on what agents really did. Confirms the changes of "
        "others, and goes back to earlier rules.",
        (*_RULES, *_WRITE_RULES, "governance.view_action"),
    ),
    (
        "Role: compliance",
        "Reads everything and takes the audit log away. Changes nothing.",
        (*_RULES, *_REQUESTS, *_RECORD),
    ),
    (
        "Role: administrator",
        "Sets everything up: agents and keys, people and roles, rules. Reads "
        "everything, and presses the stop buttons.",
        (
            *_RULES,
            *_REQUESTS,
            *_RECORD,
            *_WRITE_RULES,
            *_PRESETS,
            *_MESSAGES,
            "notifications.add_webhook",
            "notifications.change_webhook",
            "approvals.delegate_for_others",
            "auth.add_group",
            "auth.change_group",
            "auth.delete_group",
            "governance.add_agent",
            "governance.add_agentkey",
            "governance.add_user",
            "governance.assign_roles",
            "governance.change_agent",
            "governance.change_agentkey",
            "governance.change_user",
            "governance.freeze_actions",
            "governance.suspend_agent",
        ),
    ),
)
