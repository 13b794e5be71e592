import pytest

from checkout_server.database.dialect import for_psycopg


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a = :a AND b = :b_1", "a = %(a)s AND b = %(b_1)s"),
        ("x = :x::bigint", "x = %(x)s::bigint"),
        ("a = ':a' AND b = :a", "a = ':a' AND b = %(a)s"),
        ("a = 'it''s :a' AND b = :a", "a = 'it''s :a' AND b = %(a)s"),
        ('":a" = :a', '":a" = %(a)s'),
        ("a = :a -- not :b\nAND c = :c", "a = %(a)s -- not :b\nAND c = %(c)s"),
        ("a % 2 = 0 AND b LIKE '%:c%'", "a %% 2 = 0 AND b LIKE '%%:c%%'"),
        ("VALUES (:a,:b)", "VALUES (%(a)s,%(b)s)"),
    ],
)
def test_only_parameters_are_renamed(sql: str, expected: str) -> None:
    assert for_psycopg(sql) == expected


def test_a_lock_comes_after_everything_else() -> None:
    assert for_psycopg("SELECT a FROM t WHERE b = :b\n", lock=True).endswith("%(b)s FOR UPDATE")
