"""What does a list mean that has nothing on it, and what comes next?

The next step is told to those who can take it.
"""

from __future__ import annotations

from typing import NamedTuple

from django.urls import reverse

from governance.models import User


class Nothing(NamedTuple):
    """What appears here, and who is told what to do about it."""

    title: str
    text: str
    permission: str = ""
    next: str = ""
    verb: str = ""
    link: str = ""
    command: str = ""


class Hint(NamedTuple):
    title: str
    text: str
    next: str
    verb: str
    link: str
    command: str


_LOAD = ".venv/bin/python manage.py load_policies examples/refunds.yaml"
NOTHING: dict[str, Nothing] = {
    "governance.agent": Nothing(
        "No agents yet",
        "An agent is a program that asks before it acts.",
        "governance.add_agent",
        "Make one, then issue a key for it.",
        "Add an agent",
        "admin:governance_agent_add",
    ),
    "governance.action": Nothing(
        "No actions yet",
        "What agents ask to do appears here, whatever comes of it.",
        "governance.add_agent",
        "The overview shows how the first request is sent.",
        "Overview",
        "admin:index",
    ),
    "governance.event": Nothing(
        "Nothing on record yet",
        "Every step appears here: what was asked, judged, decided and done.",
    ),
    "notifications.delivery": Nothing(
        "Nobody has been told anything yet",
        "What people are sent appears here, with whether it reached them.",
        "governance.change_user",
        "People are told when a flow asks one of their groups.",
        "People",
        "admin:governance_user_changelist",
    ),
    "notifications.place": Nothing(
        "No channels yet",
        "A channel is where a group looks: in Slack, on a mailing list, in another "
        "service. It hears what the group is asked, and how that ends.",
        "notifications.add_place",
        "People are told by themselves all the same.",
        "Add a channel",
        "admin:notifications_place_add",
    ),
    "notifications.rule": Nothing(
        "No routing rules",
        "What asks for a decision goes everywhere people can be reached; all else stays "
        "in the console. A rule says otherwise, by topic, action, group or risk.",
        "notifications.add_rule",
        "The first rule that fits decides.",
        "Add a routing rule",
        "admin:notifications_rule_add",
    ),
    "notifications.phrase": Nothing(
        "Messages speak in our words",
        "A wording changes what a message says first, by topic, channel and action.",
        "notifications.add_phrase",
        "What a decision needs follows all the same.",
        "Add a wording",
        "admin:notifications_phrase_add",
    ),
    "notifications.rota": Nothing(
        "No rotas",
        "With a rota the people of a group take turns: one is told first, everybody "
        "once silence asks again.",
        "notifications.add_rota",
        "Without one, all of them are told at once.",
        "Add a rota",
        "admin:notifications_rota_add",
    ),
    "notifications.webhook": Nothing(
        "No webhooks yet",
        "A webhook is an address at which an agent is told what became of its actions, "
        "so that it need not ask.",
        "notifications.add_webhook",
        "Agents that wait for the answer need none.",
        "Add a webhook",
        "admin:notifications_webhook_add",
    ),
    "notifications.webhookmessage": Nothing(
        "No agent has been told anything yet",
        "What is sent to agents' webhooks appears here, with what they answered.",
        "notifications.add_webhook",
        "Send a test from the page of a webhook.",
        "Webhooks",
        "admin:notifications_webhook_changelist",
    ),
    "policies.policy": Nothing(
        "No policies yet",
        "Policies say what goes through by itself, what is blocked, and who is asked. "
        "Until there is one, everything is blocked.",
        "policies.add_policy",
        "Load an example, or write one.",
        "Add a policy",
        "admin:policies_policy_add",
        _LOAD,
    ),
    "policies.flow": Nothing(
        "No flows yet",
        "A flow says who must agree, in which order, and what silence means.",
        "policies.add_flow",
        "Policies that require approval name one.",
        "Add a flow",
        "admin:policies_flow_add",
    ),
    "policies.calendar": Nothing(
        "No calendars yet",
        "A calendar says when people work. Without one every hour counts.",
        "policies.add_calendar",
        "Stages of flows count the working time of the calendar they name.",
        "Add a calendar",
        "admin:policies_calendar_add",
    ),
    "policies.lookback": Nothing(
        "No lookbacks yet",
        "A lookback counts earlier actions, for budgets and repeated requests.",
        "policies.add_lookback",
        "Conditions read it as history.NAME.count.",
        "Add a lookback",
        "admin:policies_lookback_add",
    ),
    "policies.riskfactor": Nothing(
        "No risk factors yet",
        "A risk factor adds points to the risk of an action when its condition holds.",
        "policies.add_riskfactor",
        "Without one the risk comes from the action type and the resource alone.",
        "Add a risk factor",
        "admin:policies_riskfactor_add",
    ),
    "governance.actiontype": Nothing(
        "No action types yet",
        "They say what agents may ask for: title, parameters, risk, and for how long a "
        "permission is good.",
        "governance.add_actiontype",
        "Actions can be judged without one, at no risk of their own.",
        "Add an action type",
        "admin:governance_actiontype_add",
    ),
    "governance.resource": Nothing(
        "No resources yet",
        "They say how sensitive the things are that agents act on.",
        "governance.add_resource",
        "What is not listed adds nothing to the risk.",
        "Add a resource",
        "admin:governance_resource_add",
    ),
    "policies.policytest": Nothing(
        "No tests yet",
        "A test is a sample, and what the rules must say of it. A change of the rules "
        "that breaks one is refused.",
        "policies.add_policytest",
        "Write one for each case that must never go wrong.",
        "Add a test",
        "admin:policies_policytest_add",
    ),
    "policies.proposedchange": Nothing(
        "No proposed changes",
        "Where two people must agree on a change of the rules (POLICY_FOUR_EYES), what "
        "waits for the second one appears here.",
    ),
    "policies.revision": Nothing(
        "The rules have never been changed",
        "Every change of the rules appears here, with who made it and why.",
        "policies.add_policy",
        "Load an example, or write the first policy.",
        "Add a policy",
        "admin:policies_policy_add",
        _LOAD,
    ),
    "approvals.presetreason": Nothing(
        "No preset reasons yet",
        "Comments that people give often, ready to be chosen when they decide.",
        "approvals.add_presetreason",
        "Write the first one.",
        "Add a preset reason",
        "admin:approvals_presetreason_add",
    ),
    "auth.group": Nothing(
        "No groups yet",
        "Flows ask groups; roles open pages. Loading policies makes the groups that "
        "they name.",
        "auth.add_group",
        "Make one, then put people into it on their pages.",
        "Add a group",
        "admin:auth_group_add",
    ),
}
UNKNOWN = Nothing("Nothing here yet", "")
FILTERED = Hint("Nothing matches", "Try other words, or fewer filters.", "", "", "", "")


def hint(label: str, user: User) -> Hint:
    """Return what to say of an empty list of this model, to this person."""
    found = NOTHING.get(label, UNKNOWN)
    if not found.permission or not user.has_perm(found.permission):
        return Hint(found.title, found.text, "", "", "", "")
    link = reverse(found.link)
    return Hint(found.title, found.text, found.next, found.verb, link, found.command)
