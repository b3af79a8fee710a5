"""Tables that sort when a heading is pressed, with the keyboard too."""

from __future__ import annotations

from playwright.sync_api import Browser, Locator

from tests.browser.conftest import PageOf
from tests.browser.observe import visit

JOBS = "table.sortable:has(#jobs-table)"


def column(table: Locator, place: int) -> list[str]:
    return table.evaluate(
        "(table, place) => [...table.tBodies[0].rows].map(row => row.cells[place].textContent.trim())", place
    )


def values(table: Locator, place: int) -> list[float | None]:
    return table.evaluate(
        """(table, place) => [...table.tBodies[0].rows].map(row => row.cells[place].dataset.value)
        .map(value => value === undefined ? null : Number(value))""",
        place,
    )


def sorted_by(table: Locator) -> list[tuple[int, str]]:
    found = table.evaluate("table => [...table.tHead.rows[0].cells].map(cell => cell.ariaSort)")
    return [(place, order) for place, order in enumerate(found) if order]


def test_a_heading_sorts_by_its_number_and_then_the_other_way_with_what_is_unknown_last(
    browser: Browser, page_of: PageOf
) -> None:
    with visit(browser, page_of("group, a month")) as opened:
        table = opened.page.locator(JOBS)
        before = column(table, 0)
        energies = values(table, 3)
        assert sorted_by(table) == [(3, "descending")] and energies[-1] is None
        button = table.get_by_role("button", name="kWh")
        button.focus()
        opened.page.keyboard.press("Enter")
        known = [value for value in energies if value is not None]
        assert values(table, 3) == [*sorted(known), None]
        assert sorted_by(table) == [(3, "ascending")]
        opened.page.keyboard.press("Enter")
        assert values(table, 3) == energies
        assert sorted(column(table, 0)) == sorted(before)
        assert opened.complaints() == []


def test_a_heading_of_words_sorts_by_them(browser: Browser, page_of: PageOf) -> None:
    with visit(browser, page_of("group, a month")) as opened:
        table = opened.page.locator(JOBS)
        table.get_by_role("button", name="Who").click()
        assert column(table, 2) == sorted(column(table, 2))
        assert sorted_by(table) == [(2, "ascending")]


def test_without_scripts_a_table_is_sorted_by_energy_and_has_no_buttons(
    browser: Browser, page_of: PageOf
) -> None:
    with visit(browser, page_of("group, a month"), java_script_enabled=False) as opened:
        assert opened.page.locator("th button").count() == 0
        assert opened.page.locator(f"{JOBS} th[aria-sort=descending]").inner_text() == "kWh"
