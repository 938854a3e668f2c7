"""What people chose: whether words and pictures are kept, in what language, and which model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlite_utils import Database

from bot.log.schema import timestamp, transaction


class Consent(NamedTuple):
    """What is kept of a person.

    Attributes:
        exchanges: What they ask and what is answered.
        pictures: Their pictures, encrypted.
    """

    exchanges: bool
    pictures: bool


class ConsentStore:
    """The tables of what people chose, who are named by their hashes.

    Args:
        db: Open to be written.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, person: str) -> Consent:
        """What is kept of a person: by default exchanges alone."""
        sql = (
            "SELECT NOT EXISTS (SELECT 1 FROM unlogged WHERE hash = ?1), "
            "EXISTS (SELECT 1 FROM sharing WHERE hash = ?1)"
        )
        exchanges, pictures = self._db.execute(sql, [person]).fetchone()
        return Consent(bool(exchanges), bool(exchanges and pictures))

    def set_logged(self, person: str, *, logged: bool) -> None:
        """Keep exchanges of this person, or nothing at all but that they want so."""
        if logged:
            self._db.execute("DELETE FROM unlogged WHERE hash = ?", [person])
        else:
            self._db.execute("INSERT OR IGNORE INTO unlogged (hash) VALUES (?)", [person])
            self.forget(person)

    def set_sharing(self, person: str, at: datetime | None) -> None:
        """Keep that a person allows that their pictures are kept, and since when; None: no more."""
        if at is None:
            self._db.execute("DELETE FROM sharing WHERE hash = ?", [person])
        else:
            self._db.execute(
                "INSERT OR IGNORE INTO sharing (hash, at) VALUES (?, ?)", [person, timestamp(at)]
            )

    def set_language(self, person: str, language: str) -> None:
        """Keep the language that a person chose; "" for that of their device."""
        if not language:
            self._db.execute("DELETE FROM choices WHERE hash = ?", [person])
        elif self.of(person).exchanges:
            self._db.execute(
                "INSERT OR REPLACE INTO choices (hash, language) VALUES (?, ?)", [person, language]
            )

    def set_profile(self, person: str, profile: str) -> None:
        """Keep which model a person chose; "" for the usual one."""
        if not profile:
            self._db.execute("DELETE FROM chosen_profiles WHERE hash = ?", [person])
        elif self.of(person).exchanges:
            self._db.execute(
                "INSERT OR REPLACE INTO chosen_profiles (hash, profile) VALUES (?, ?)",
                [person, profile],
            )

    def profiles(self) -> dict[str, str]:
        """The models that people chose, by who did."""
        return dict(self._db.execute("SELECT hash, profile FROM chosen_profiles").fetchall())

    def sharing(self) -> set[str]:
        """Who allows that their pictures are kept."""
        return {who for (who,) in self._db.execute("SELECT hash FROM sharing")}

    def languages(self) -> dict[str, str]:
        """The languages that people chose, by who did."""
        return dict(self._db.execute("SELECT hash, language FROM choices").fetchall())

    def forget(self, person: str) -> None:
        """Forget what they chose and allowed; that they want nothing kept stays."""
        for table in ("choices", "chosen_profiles", "sharing"):
            self._db.execute(f"DELETE FROM {table} WHERE hash = ?", [person])

    def opt_out(self, people: Sequence[tuple[str]]) -> None:
        """Take over from another database who wants nothing kept."""
        with transaction(self._db):
            sql = "INSERT OR IGNORE INTO unlogged (hash) VALUES (?)"
            self._db.conn.executemany(sql, people)


class ConsentCache:
    """What people chose, in memory, so that it is known at once, also while nothing can be read.

    Attributes:
        languages: By who chose them; "" for that of their device.
        profiles: Of models, by who chose them; "" for the usual one.
        sharing: Who allows that their pictures are kept.
    """

    def __init__(self) -> None:
        self.languages: dict[str, str] = {}
        self.profiles: dict[str, str] = {}
        self.sharing: set[str] = set()
        self._changed: set[str] = set()  # who changed something that may not be written yet

    def load(self, store: ConsentStore) -> None:
        """Take in what a database holds, but for who changed their mind since."""
        for who, language in store.languages().items():
            if who not in self._changed:
                self.languages.setdefault(who, language)
        for who, profile in store.profiles().items():
            if who not in self._changed:
                self.profiles.setdefault(who, profile)
        self.sharing |= store.sharing() - self._changed

    def set_sharing(self, who: str, shares: bool) -> None:
        """Take in what somebody allows."""
        self._changed.add(who)
        (self.sharing.add if shares else self.sharing.discard)(who)

    def set_language(self, who: str, language: str) -> None:
        """Take in what somebody chose."""
        self._changed.add(who)
        self.languages[who] = language

    def set_profile(self, who: str, profile: str) -> None:
        """Take in which model somebody chose."""
        self._changed.add(who)
        self.profiles[who] = profile

    def forget(self, who: str) -> None:
        """Forget what somebody chose and allowed."""
        self._changed.add(who)
        self.profiles.pop(who, None)
        self.languages.pop(who, None)
        self.sharing.discard(who)
