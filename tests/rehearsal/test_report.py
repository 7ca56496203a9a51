"""The page: what it shows, that it keeps secrets, and that nothing it is told can become markup."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rehearsal.states import CANARY, DEV_GROUP, DEV_MACHINE, RUNNERS, SEAL, State, dev, hub, sealed
from virtci.core.inventory import Bill
from virtci.core.quota import QuotaLine
from virtci.fleet.events import Verdict
from virtci.rehearsal.conductor import StackResult
from virtci.rehearsal.endings import Ending
from virtci.rehearsal.engine import Run
from virtci.rehearsal.report import write_report
from virtci.rehearsal.report.architecture import Architecture, Element, Link, Part, architecture
from virtci.rehearsal.report.drawing import Box, Drawing, drawing
from virtci.rehearsal.report.facts import cloud_name, facts_of
from virtci.rehearsal.report.figures import duration, point_of, share
from virtci.rehearsal.report.masking import masked, scrubber
from virtci.rehearsal.report.page import render
from virtci.rehearsal.report.rules import Rule, configured, pack_rules

RULES = (Rule("vm-no-public-ip", "Machines have no public address."), Rule("quota", "All fits into the share."))
HOSTILE = '</text><script>alert(1)</script>" onload="alert(2)\' {{ 7 * 7 }}'
VOID = {"meta", "link", "br", "rect", "path"}


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes, and whether tags are in balance."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def page(*results: StackResult) -> str:
    return render(results, RULES)


def words(text: str) -> str:
    """The page's text as a reader sees it, on one line."""
    body = re.sub(r"<(style|title)>.*?</\1>|<[^>]+>", " ", text, flags=re.S)
    return " ".join(body.split())


@pytest.mark.parametrize("results", [(), (hub(),), (hub(), dev())], ids=["nothing", "hub", "both"])
def test_page_is_balanced_and_asks_nobody(results: Sequence[StackResult], tmp_path: Path) -> None:
    write_report(results, tmp_path / "report.html", RULES)
    text = (tmp_path / "report.html").read_text()
    found = Page(text)
    assert not found.open
    assert not {"script", "iframe", "img", "object"} & set(found.tags)
    targets = [value for name, value in found.attributes if name in ("href", "src", "xlink:href", "action")]
    assert all(value.startswith(("#", "data:,")) for value in targets)
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {"#head", "#head-thin", "#head-hot"}
    assert "@import" not in text


def test_labels_point_to_what_is_there() -> None:
    found = Page(page(hub(), dev()))
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value for name, value in found.attributes if name == "aria-labelledby"} <= set(ids)
    assert {value[1:] for name, value in found.attributes if name == "href" and value.startswith("#")} <= set(ids)


def test_sealed_values_are_nowhere_on_the_page() -> None:
    result = hub()
    result.runs["up"].errors.append(f"the cloud refused {CANARY} as a password")
    result.runs["preview"].verdicts.append(Verdict("no-secret", "mandatory", "", f"found {CANARY}"))
    result.contract_faults.append(f"password: {CANARY}")
    result.left_behind.append(f"/somewhere/{CANARY}")
    text = page(result, dev())
    assert CANARY not in text
    assert "the cloud refused [secret] as a password" in text
    assert "password: [secret]" in text
    assert "1b47061264138c4ac30d75fd1eb44270" not in text


def test_sealed_values_without_their_text_are_masked() -> None:
    value = {"a": [{**SEAL, "ciphertext": "v1:abc"}], "b": 1, "c": {**SEAL, "plaintext": json.dumps({"d": CANARY})}}
    assert masked(value) == {"a": ["[secret]"], "b": 1, "c": "[secret]"}


def test_messages_lose_each_line_of_a_secret_but_no_names() -> None:
    state = State("hub")
    state.add(
        "azure-native:network:NetworkInterface",
        "a-machine-name",
        state.root,
        outputs={"all": sealed({"name": "a-machine-name"})},
    )
    state.add(
        "tls:index/privateKey:PrivateKey",
        "key",
        state.root,
        outputs={"pem": sealed("first-line-of-key\nsecond-line-of-key\n-")},
    )
    scrub = scrubber([state.result({})])
    assert scrub("a-machine-name: first-line-of-key\\nsecond-line-of-key") == "a-machine-name: [secret]\\n[secret]"


def test_hostile_texts_stay_text() -> None:
    result = dev()
    result.resources[4]["inputs"]["resourceGroupName"] = HOSTILE
    for item in result.resources:
        item["urn"] = item["urn"].replace("dev-github", HOSTILE)
        item["parent"] = item.get("parent", "").replace("dev-github", HOSTILE)
        if "vmName" in item["inputs"]:
            item["inputs"] |= {"vmName": HOSTILE, "resourceGroupName": HOSTILE}
    result.outputs = {HOSTILE: HOSTILE}
    result.runs["up"].errors.append(HOSTILE)
    result.runs["preview"].verdicts.append(Verdict(HOSTILE, HOSTILE, HOSTILE, HOSTILE))
    result.bill = Bill((), (HOSTILE,), (HOSTILE,))
    result.quota = [QuotaLine(HOSTILE, HOSTILE, 1, 0, None)]
    text = render([result], [Rule(HOSTILE, HOSTILE)])
    found = Page(text)
    assert "script" not in found.tags
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "{{ 7 * 7 }}" in text


def test_a_good_rehearsal_says_so() -> None:
    text = words(page(hub(), dev()))
    assert "2 stacks deployed, stable and within the contract" in text
    assert "No violations in the previews of hub, dev" in text
    assert "Problems" not in text
    assert "hub ✓ good" in text
    assert "2 min 05 s" in text


def test_a_failed_rehearsal_shows_its_errors_first() -> None:
    trace = "Traceback (most recent call last):\n  File x\nValueError: the point of it"
    failed = replace(dev(), resources=[], outputs={}, quota=[], bill=Bill((), (), ()), ending=Ending.REFUSED)
    failed.runs = {"preview": Run("preview", errors=[trace])}
    failed.seconds = {"preview": 2.0}
    text = page(hub(), failed)
    assert text.index("ValueError: the point of it") < text.index(trace.splitlines()[0]) < text.index('id="summary"')
    assert "1 problem, listed first" in words(text)
    assert "✗ refused" in words(text)
    assert "✗ failed" in words(text)
    assert "not asked" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"ending": Ending.CONTRACT_BROKEN, "contract_faults": ["machines.0.size: missing"]},
            "output contract machines.0.size",
        ),
        ({"left_behind": ["/a/vault"]}, "left behind /a/vault"),
        ({"ending": Ending.INTERRUPTED}, "ending interrupted"),
    ],
)
def test_every_bad_ending_is_explained(change: dict[str, Any], expected: str) -> None:
    assert expected in words(page(replace(hub(), **change)))


def test_an_unstable_stack_names_what_would_change() -> None:
    result = replace(hub(), ending=Ending.NOT_STABLE)
    urn = next(item["urn"] for item in result.resources if item["type"].endswith(":Vault"))
    result.runs["second preview"].steps[urn] = "update"
    assert "not stable · hub-vault the second preview would update what was just deployed" in words(page(result))


def test_verdicts_are_told_once_and_counted_by_stack() -> None:
    result = hub()
    urn = result.resources[-1]["urn"]
    for step in ("preview", "second preview"):
        result.runs[step].verdicts.append(Verdict("quota", "advisory", urn, "too many"))
    text = words(page(result, dev()))
    assert "1 violation " in text
    assert "2 stacks deployed, stable and within the contract: 27 resources, 1 advisory violation" in text
    assert text.count("too many") == 1
    assert "preview, second preview" in text
    assert "quota All fits into the share. mandatory ✗ 1 ✓ 0" in text
    assert "vm-no-public-ip Machines have no public address. mandatory ✓ 0 ✓ 0" in text


def test_quota_lines_say_how_they_stand() -> None:
    result = replace(hub(), quota=[QuotaLine("westus", "fam", 10, 2, 8), QuotaLine("westus", "cores", 4, 0, 8)])
    text = words(page(result))
    assert "westus fam 10 2 8 ✗ 4 vCPU missing" in text
    assert "westus regional total 4 0 8 ✓ fits, 4 free" in text
    assert share(QuotaLine("westus", "fam", 1, 0, None)) == "no share declared"
    assert "left:66.67%" in page(result)


def test_costs_stand_by_class_with_the_budget_and_what_is_not_in_it() -> None:
    result = hub()
    result.bill = Bill(result.bill.costs, ("hub-logs",), ("odd-thing: it has no price",))
    text = words(page(result))
    expected = sum(cost.expected for cost in result.bill.costs)
    assert f"total {expected:,.2f}" in text
    assert f"{100 * expected / 700:.0f} % of the budget of 700 USD" in text
    assert "hub-logs billed by usage" in text
    assert "odd-thing: it has no price" in text


def test_drawing_has_components_in_their_groups() -> None:
    found = architecture([hub(), dev()])
    names = {group: sorted(cloud_name(found.parts[key]) for key in keys) for group, keys in found.groups.items()}
    assert names == {
        "kubevirt-rg": ["hub-logs", RUNNERS[0], "kubevirt-vnet", "kubevirtkv"],
        DEV_GROUP: [DEV_MACHINE, "virt-ci-dev"],
        "GitHub": ["dev"],
    }
    runner = next(part for part in found.parts.values() if part.name == RUNNERS[0])
    assert [twin.name for twin in runner.twins] == [RUNNERS[1]]
    assert facts_of(runner) == ["Standard_D4s_v5", "always-on", "subnet runners", "own identity"]


def test_arrows_follow_dependencies_ids_and_names_across_stacks() -> None:
    found = architecture([hub(), dev()])
    named = {(cloud_name(found.parts[a.source]), cloud_name(found.parts[a.target])): a.implied for a in found.links}
    assert named == {
        ("kubevirtkv", "hub-logs"): False,
        ("kubevirtkv", "kubevirt-vnet"): False,
        (RUNNERS[0], "kubevirtkv"): False,
        (RUNNERS[0], "kubevirt-vnet"): True,
        (DEV_MACHINE, "kubevirtkv"): False,
        (DEV_MACHINE, "kubevirt-vnet"): True,
        ("virt-ci-dev", DEV_MACHINE): False,
        ("dev", "virt-ci-dev"): False,
        ("dev", "kubevirtkv"): True,
    }
    reasons = {reason for link in found.links for reason in link.reasons}
    assert "virt-ci-dev-AZURE_CLIENT_ID.value" not in reasons
    assert f"{DEV_MACHINE}-nic.ipConfigurations → hub-network" in reasons
    assert f"dev-identity-reads-ssh-key.scope → {DEV_MACHINE}-ssh-secret" in reasons


def test_unknown_components_are_drawn_with_what_they_hold() -> None:
    state = State("hub")
    pool = state.add("virt-ci:runner:Pool", "runners", state.root)
    state.add("aws:ec2/subnet:Subnet", "one", pool)
    state.add("aws:ec2/subnet:Subnet", "two", pool)
    state.add("aws:iam/role:Role", "role", pool)
    found = architecture([state.result({})])
    part = next(iter(found.parts.values()))
    assert found.groups == {"aws": (part.key,)}
    assert facts_of(part) == ["1 Role", "2 Subnets"]


def element(name: str) -> Element:
    return Element("hub", name, "virt-ci:any:Thing", name, "", "", custom=True, inputs={}, outputs={}, dependencies={})


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """Any parts in any groups with any arrows, in circles as well."""
    number = draw(st.integers(0, 9))
    keys = [f"part-{index}" for index in range(number)]
    homes = [draw(st.sampled_from(["one", "two", "three", "a group with a rather long name"])) for _ in keys]
    parts = {
        key: Part(key, "hub", "virt-ci:any:Thing", key, "", [element(key)], home)
        for key, home in zip(keys, homes, strict=True)
    }
    pairs = st.tuples(st.sampled_from(keys), st.sampled_from(keys)) if keys else st.nothing()
    links = (
        [Link(a, b, ("why",), draw(st.booleans())) for a, b in draw(st.sets(pairs, max_size=20)) if a != b]
        if keys
        else []
    )
    groups = {home: tuple(key for key in keys if parts[key].group == home) for home in dict.fromkeys(homes)}
    return Architecture(parts, groups, links)


@settings(max_examples=80, deadline=None)
@given(architectures())
def test_any_architecture_can_be_drawn(found: Architecture) -> None:
    result = drawing(found)
    assert sum(len(box.arrows) for box in result.boxes) == len(found.links)
    assert len(result.frames) == len(found.groups)
    assert not [pair for pair in combinations(result.boxes, 2) if overlap(*pair)]
    assert not [pair for pair in combinations(result.frames, 2) if overlap(*pair)]
    for frame in result.frames:
        for key in found.groups[frame.title]:
            assert contains(frame, next(box for box in result.boxes if box.key == key))
        assert contains(sheet(result), frame)


def sheet(result: Drawing) -> Box:
    return Box("", "", "", [], [], "", stacked=False, width=result.width, height=result.height)


def overlap(one: object, other: object) -> bool:
    a, b = corners(one), corners(other)
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def contains(outer: object, inner: object) -> bool:
    a, b = corners(outer), corners(inner)
    return a[0] <= b[0] + 0.01 and a[1] <= b[1] + 0.01 and a[2] >= b[2] - 0.01 and a[3] >= b[3] - 0.01


def corners(place: object) -> tuple[float, float, float, float]:
    x, y, width, height = (getattr(place, name) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def test_levels_come_from_the_configuration_of_a_stack(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "hub.json").write_text(
        '{"all": "mandatory", "quota": {"enforcementLevel": "advisory"}, "cost": {"limit": 1}}'
    )
    assert configured("hub", tmp_path) == {"all": "mandatory", "quota": "advisory", "cost": ""}
    (tmp_path / "config" / "dev.json").write_text("not json")
    assert configured("dev", tmp_path) == {}
    assert configured("test", tmp_path) == {}


def test_a_pack_that_cannot_be_loaded_leaves_the_page_without_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "policies.registry", None)
    assert pack_rules() == []


def test_the_pack_names_its_rules() -> None:
    assert {"quota", "tagging"} <= {rule.name for rule in pack_rules()}


def test_times_and_messages_are_short() -> None:
    assert [duration(seconds) for seconds in (0.04, 59.94, 61, 3_725)] == [
        "0.0 s",
        "59.9 s",
        "1 min 01 s",
        "1 h 02 min",
    ]
    assert point_of("one\ntwo\n") == "one\ntwo"
