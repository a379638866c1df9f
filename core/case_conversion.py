"""Names of columns in Python and SQL, and the same names in GraphQL and Convex."""


def to_camel_case(name: str) -> str:
    """`psa_company_id` is psaCompanyId."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def to_snake_case(name: str) -> str:
    """`psaCompanyId` is psa_company_id."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
