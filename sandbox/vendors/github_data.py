"""A world as a GitHub organization holds it: repositories, issues, pull requests, the tenant's engineers."""

from __future__ import annotations

import random

from sandbox import words
from sandbox.facts import Staff
from sandbox.table import Record, Table
from sandbox.times import iso_z
from sandbox.world import DAY, SEED_NOW, World, ascii_word

API = "https://api.github.com"
WEB = "https://github.com"
_PAST = SEED_NOW - 1300 * DAY


def build_tables(world: World) -> dict[str, Table]:
    """All of an organization's tables."""
    return _Organization(world).tables


def login_of(person: Staff) -> str:
    """A member's login."""
    return f"{ascii_word(person.first)}-{ascii_word(person.last)}"


def _user(person: Staff) -> Record:
    login = login_of(person)
    return {
        "login": login,
        "id": 7_100_000 + person.number,
        "node_id": f"MDQ6VXNlcj{person.number}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{7_100_000 + person.number}?v=4",
        "url": f"{API}/users/{login}",
        "html_url": f"{WEB}/{login}",
        "type": "User",
        "site_admin": False,
    }


class _Organization:
    def __init__(self, world: World) -> None:
        self.world = world
        self.login = f"{world.tenant.replace('_', '-')}-dev"
        self.people = [s for s in world.staff if s.department in ("Engineering", "Operations", "Support")]
        self.tables = {
            "organizations": self._one("organizations", self._organization()),
            "members": Table("members", lambda n: 7_200_000 + n, iso_z, "type", created_at=(), updated_at=()),
            "teams": Table(
                "teams", lambda n: 310_000 + n, iso_z, "description", created_at=(), updated_at=()
            ),
            "repositories": Table("repositories", lambda n: 61_100_000 + n, iso_z, "description"),
            "labels": Table(
                "labels", lambda n: 880_000 + n, iso_z, "description", created_at=(), updated_at=()
            ),
            "issues": Table("issues", lambda n: 2_200_000_000 + n, iso_z, "title"),
            "issue_comments": Table("issue_comments", lambda n: 1_800_000_000 + n, iso_z, "body"),
            "pull_requests": Table("pull_requests", lambda n: 1_500_000_000 + n, iso_z, "title"),
        }
        self._people_and_teams()
        for number, name in enumerate(words.REPOSITORIES):
            self._repository(number, name)

    def _one(self, name: str, record: Record) -> Table:
        table = Table(name, lambda n: 90_000_000 + n, iso_z, "description", created_at=(), updated_at=())
        table.put(record, _PAST)
        return table

    def _organization(self) -> Record:
        return {
            "login": self.login,
            "id": 90_000_000,
            "node_id": "MDEyOk9yZ2FuaXphdGlvbjkw",
            "url": f"{API}/orgs/{self.login}",
            "repos_url": f"{API}/orgs/{self.login}/repos",
            "avatar_url": "https://avatars.githubusercontent.com/u/90000000?v=4",
            "description": f"Engineering at {self.world.tenant}",
        }

    def _people_and_teams(self) -> None:
        for person in self.people:
            self.tables["members"].put(_user(person), person.hired)
        for number, name in enumerate(("Platform", "Devices", "Apps", "Support engineering")):
            slug = name.lower().replace(" ", "-")
            record = {
                "id": 300_000 + number,
                "node_id": f"MDQ6VGVhb{number}",
                "name": name,
                "slug": slug,
                "description": f"{name} team",
                "privacy": "closed",
                "permission": "pull",
                "url": f"{API}/organizations/90000000/team/{300_000 + number}",
                "html_url": f"{WEB}/orgs/{self.login}/teams/{slug}",
                "parent": None,
            }
            self.tables["teams"].put(record, _PAST)

    def _repository(self, number: int, name: str) -> None:
        full_name = f"{self.login}/{name}"
        record = {
            "id": 61_000_000 + number,
            "node_id": f"MDEwOlJlcG9{number}",
            "name": name,
            "full_name": full_name,
            "private": number % 2 == 0,
            "owner": {"login": self.login, "id": 90_000_000, "type": "Organization"},
            "html_url": f"{WEB}/{full_name}",
            "description": f"The {name} of {self.world.tenant}" if number % 4 else None,
            "fork": False,
            "url": f"{API}/repos/{full_name}",
            "created_at": iso_z(_PAST),
            "updated_at": iso_z(SEED_NOW - number * DAY),
            "pushed_at": iso_z(SEED_NOW - number * DAY),
            "language": ("Python", "TypeScript", "C", None)[number % 4],
            "stargazers_count": number * 7,
            "open_issues_count": 12,
            "default_branch": "main",
            "archived": name == "docs",
            "disabled": False,
            "visibility": "private" if number % 2 == 0 else "public",
            "topics": [],
        }
        self.tables["repositories"].put(record, _PAST, SEED_NOW - number * DAY)
        labels = [self._label(full_name, number, i, label) for i, label in enumerate(words.LABELS)]
        dice = self.world.dice("github", name)
        for i in range(34):
            self._issue(full_name, number, i, dice, labels)

    def _label(self, full_name: str, repository: int, number: int, name: str) -> Record:
        record = {
            "_repo": full_name,
            "id": 870_000 + repository * 100 + number,
            "node_id": f"MDU6TGFiZW{repository}{number}",
            "url": f"{API}/repos/{full_name}/labels/{name.replace(' ', '%20')}",
            "name": name,
            "color": f"{(number * 3_355_443) % 2**24:06x}",
            "default": number < 3,
            "description": None,
        }
        self.tables["labels"].put(record, _PAST)
        return {k: v for k, v in record.items() if k != "_repo"}

    def _issue(
        self, full_name: str, repository: int, number: int, dice: random.Random, labels: list[Record]
    ) -> None:
        author, assignee = dice.choice(self.people), dice.choice((*self.people, None, None))
        created = dice.randint(SEED_NOW - 500 * DAY, SEED_NOW - 20 * DAY)
        closed = created + dice.randint(1, 15) * DAY if dice.random() < 0.65 else None
        is_pull = number % 3 == 0
        key = 2_000_000_000 + repository * 1000 + number
        kind = "pull" if is_pull else "issues"
        url = f"{API}/repos/{full_name}/issues/{number + 1}"
        count = self._comments(full_name, repository, number, created, dice, url)
        updated = max(closed or 0, created + count * DAY)
        shared = {
            "_repo": full_name,
            "number": number + 1,
            "title": dice.choice(words.ISSUES),
            "state": "closed" if closed else "open",
            "user": _user(author),
            "assignee": _user(assignee) if assignee else None,
            "assignees": [_user(assignee)] if assignee else [],
            "labels": dice.sample(labels, dice.randint(0, 2)),
            "milestone": None,
            "body": f"Seen in {full_name}. Steps to reproduce are below." if number % 5 else None,
            "locked": False,
            "html_url": f"{WEB}/{full_name}/{kind}/{number + 1}",
            "author_association": "MEMBER",
            "created_at": iso_z(created),
            "updated_at": iso_z(updated),
            "closed_at": iso_z(closed) if closed else None,
        }
        pull = {"url": f"{API}/repos/{full_name}/pulls/{number + 1}", "merged_at": None}
        issue = shared | {
            "id": key,
            "node_id": f"MDU6SXNzdWUx{key}",
            "url": url,
            "repository_url": f"{API}/repos/{full_name}",
            "comments_url": f"{url}/comments",
            "comments": count,
            "state_reason": "completed" if closed else None,
            "type": {"id": 1 + number % 2, "name": ("Bug", "Feature")[number % 2]} if number % 4 else None,
        }
        if is_pull:
            issue["pull_request"] = pull
            self._pull(full_name, key, shared, closed)
        self.tables["issues"].put(issue, created, updated)

    def _pull(self, full_name: str, issue: int, shared: Record, closed: int | None) -> None:
        number = shared["number"]
        record = shared | {
            "id": 1_400_000_000 + issue % 1_000_000,
            "node_id": f"MDExOlB1bGxS{issue}",
            "url": f"{API}/repos/{full_name}/pulls/{number}",
            "draft": number % 9 == 0,
            "merged_at": iso_z(closed) if closed and number % 4 else None,
            "merge_commit_sha": f"{issue * 7919:040x}"[-40:],
            "head": {"ref": f"topic-{number}", "sha": f"{issue * 104729:040x}"[-40:]},
            "base": {"ref": "main", "sha": f"{issue * 1299709:040x}"[-40:]},
            "requested_reviewers": [],
        }
        updated = SEED_NOW if closed is None else closed
        self.tables["pull_requests"].put(record, updated - 5 * DAY, updated)

    def _comments(
        self, full_name: str, repository: int, number: int, created: int, dice: random.Random, url: str
    ) -> int:
        count = dice.choice((0, 1, 1, 2, 3))
        for i in range(count):
            key = 1_700_000_000 + repository * 10_000 + number * 10 + i
            time = created + (i + 1) * DAY
            record = {
                "_repo": full_name,
                "id": key,
                "node_id": f"MDEyOklzc3VlQ29tbWVudD{key}",
                "url": f"{API}/repos/{full_name}/issues/comments/{key}",
                "html_url": f"{WEB}/{full_name}/issues/{number + 1}#issuecomment-{key}",
                "issue_url": url,
                "user": _user(dice.choice(self.people)),
                "created_at": iso_z(time),
                "updated_at": iso_z(time),
                "author_association": "MEMBER",
                "body": dice.choice(words.REPLIES),
            }
            self.tables["issue_comments"].put(record, time)
        return count
