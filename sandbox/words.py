"""The words worlds are made of: names of people, companies, places, products and complaints."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A city with what addresses and telephone numbers there look like."""

    city: str
    region: str
    postal: str
    country: str
    code: str
    dial: str
    zone: str


def split_words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


PLACES = (
    Place("San Francisco", "CA", "94107", "United States", "US", "+1415555", "America/Los_Angeles"),
    Place("Austin", "TX", "78701", "United States", "US", "+1512555", "America/Chicago"),
    Place("Boston", "MA", "02110", "United States", "US", "+1617555", "America/New_York"),
    Place("Seattle", "WA", "98101", "United States", "US", "+1206555", "America/Los_Angeles"),
    Place("Chicago", "IL", "60606", "United States", "US", "+1312555", "America/Chicago"),
    Place("Denver", "CO", "80202", "United States", "US", "+1303555", "America/Denver"),
    Place("Berlin", "Berlin", "10117", "Germany", "DE", "+4930555", "Europe/Berlin"),
    Place("München", "Bayern", "80331", "Germany", "DE", "+4989555", "Europe/Berlin"),
    Place("Hamburg", "Hamburg", "20095", "Germany", "DE", "+4940555", "Europe/Berlin"),
    Place("London", "England", "EC2A 4NE", "United Kingdom", "GB", "+4420555", "Europe/London"),
    Place("Manchester", "England", "M1 1AE", "United Kingdom", "GB", "+44161555", "Europe/London"),
    Place("Paris", "Île-de-France", "75002", "France", "FR", "+331555", "Europe/Paris"),
    Place("Amsterdam", "Noord-Holland", "1012 JS", "Netherlands", "NL", "+3120555", "Europe/Amsterdam"),
    Place("Zürich", "ZH", "8001", "Switzerland", "CH", "+4144555", "Europe/Zurich"),
    Place("Stockholm", "Stockholms län", "111 22", "Sweden", "SE", "+468555", "Europe/Stockholm"),
    Place("Toronto", "ON", "M5V 2T6", "Canada", "CA", "+1416555", "America/Toronto"),
    Place("Sydney", "NSW", "2000", "Australia", "AU", "+612555", "Australia/Sydney"),
    Place("Tokyo", "Tokyo", "100-0005", "Japan", "JP", "+813555", "Asia/Tokyo"),
)
PLACE_WEIGHTS = (6, 5, 5, 5, 4, 4, 6, 5, 4, 6, 3, 3, 4, 2, 2, 3, 1, 1)

CURRENCIES = {
    "US": "USD", "DE": "EUR", "GB": "GBP", "FR": "EUR", "NL": "EUR", "CH": "CHF", "SE": "SEK", "CA": "CAD",
    "AU": "AUD", "JP": "JPY",
}  # fmt: skip
TO_USD = {
    "USD": 1.0, "EUR": 1.09, "GBP": 1.27, "CHF": 1.13, "SEK": 0.096, "CAD": 0.73, "AUD": 0.66, "JPY": 0.0067
}  # fmt: skip
SUFFIXES = {
    "US": ("Inc.", "LLC", "Corp."), "DE": ("GmbH", "AG", "GmbH & Co. KG"), "GB": ("Ltd", "plc"),
    "FR": ("SAS", "SARL"), "NL": ("B.V.",), "CH": ("AG", "Sàrl"), "SE": ("AB",), "CA": ("Ltd.", "Inc."),
    "AU": ("Pty Ltd",), "JP": ("K.K.",),
}  # fmt: skip
TOP_LEVEL = {
    "US": "com", "DE": "de", "GB": "co.uk", "FR": "fr", "NL": "nl", "CH": "ch", "SE": "se", "CA": "ca",
    "AU": "com.au", "JP": "jp",
}  # fmt: skip

ROOTS = split_words(
    "Kestrel Alder Bluepeak Cobalt Driftwood Ember Fathom Granite Harbor Indigo Juniper "
    "Keystone Lumen Meridian Nimbus Orchard Pinecrest Quarry Redwood Summit Tidewater Umbra "
    "Vantage Willow Zephyr Anchor Beacon Cinder Delta Everest Falcon Glacier Horizon Ironbridge "
    "Jasper Kinetic Lighthouse Magnolia Northgate Oakline Polaris Quill Riverbend Saffron "
    "Timberline Uplift Verdant Wayfarer Yonder Atlas"
)
GERMAN_ROOTS = split_words(
    "Müller Schäfer Grünwald Köhler Brückner Lindner Weiß Hölzl Vogt Krämer Böhm Jäger"
)
TRADES: tuple[tuple[str, str], ...] = (
    ("Robotics", "manufacturing"), ("Software", "technology"), ("Analytics", "technology"),
    ("Logistics", "transportation"), ("Foods", "retail"), ("Energy", "energy"), ("Health", "healthcare"),
    ("Media", "media"), ("Capital", "finance"), ("Insurance", "insurance"), ("Learning", "education"),
    ("Construction", "construction"), ("Networks", "telecommunications"), ("Hotels", "hospitality"),
    ("Consulting", "consulting"), ("Farms", "agriculture"), ("Systems", "technology"), ("Labs", "healthcare"),
    ("Motors", "manufacturing"), ("Outfitters", "retail"),
)  # fmt: skip
GERMAN_TRADES: tuple[tuple[str, str], ...] = (
    ("Anlagenbau", "manufacturing"), ("Maschinenbau", "manufacturing"), ("Logistik", "transportation"),
    ("Medizintechnik", "healthcare"), ("Systemhaus", "technology"), ("Bau", "construction"),
)  # fmt: skip

FIRST_NAMES = {
    "DE": split_words(
        "Anna Lukas Jürgen Sabine Felix Katrin Björn Heike Moritz Greta Tobias Ute Jonas Claudia"
    ),
    "FR": split_words("Chloé Hugo Élodie Mathieu Camille Luc Sophie Étienne"),
    "SE": split_words("Åsa Erik Ingrid Lars Märta Nils"),
    "JP": split_words("Yuki Haruto Aoi Ren Sakura Kenji"),
    "": split_words(
        "Olivia Liam Emma Noah Ava James Sophia Benjamin Mia Lucas Amelia Henry Priya Arjun Mei Wei "
        "Fatima Omar Grace Daniel Zoe Samuel Nora Ethan Isla Leo Ruby Max Hannah Owen Aisha Carlos "
        "Lucia Mateo Ivy Theo"
    ),
}
LAST_NAMES = {
    "DE": split_words(
        "Schmidt Fischer Weber Wagner Becker Schröder Neumann Schwarz Zimmermann Krüger Hofmann Groß"
    ),
    "FR": split_words("Martin Bernard Dubois Lefèvre Moreau Fournier Girard Rousseau"),
    "SE": split_words("Andersson Johansson Lindqvist Nilsson Öberg Sjöström"),
    "JP": split_words("Sato Suzuki Takahashi Tanaka Watanabe Ito"),
    "": split_words(
        "Smith Johnson Brown Taylor Walker Hughes O'Brien Patel Kim Nguyen Garcia Lopez Wilson "
        "Clarke Evans Murphy Bennett Cooper Reed Bailey Hassan Khan Silva Rossi Novak Kowalski Chen "
        "Park Ortiz Fraser"
    ),
}
STREETS = {
    "DE": ("Hauptstraße", "Bahnhofstraße", "Gartenweg", "Industriestraße", "Lindenallee"),
    "FR": ("rue de Rivoli", "avenue Foch", "rue Lafayette"),
    "NL": ("Keizersgracht", "Damrak", "Stationsplein"),
    "": ("Market Street", "Main Street", "King Street", "Harbor Road", "Elm Avenue", "Station Road"),
}
STREET_FIRST = frozenset({"DE", "NL", "CH", "SE"})

TITLES = (
    "Chief Executive Officer", "Chief Technology Officer", "Head of Operations", "VP Sales",
    "Procurement Manager",
    "IT Manager", "Data Engineer", "Finance Director", "Account Manager", "Office Manager",
    "Product Manager", "Marketing Lead", "Support Specialist", "Plant Manager", "Buyer",
)  # fmt: skip
DEPARTMENTS = ("Sales", "Support", "Engineering", "Finance", "Operations")

CATALOGUE: tuple[tuple[str, str, int], ...] = (
    ("Starter plan", "month", 49), ("Team plan", "month", 199), ("Business plan", "month", 649),
    ("Enterprise plan", "year", 18_000), ("Premium support", "month", 250), ("Data pack", "month", 120),
    ("Onboarding workshop", "", 1_500), ("Migration service", "", 4_800), ("Gateway device", "", 890),
    ("Sensor kit", "", 240), ("Edge router", "", 1_260), ("Rack mount", "", 75), ("Backup battery", "", 130),
    ("Installation day", "", 960), ("Training seat", "", 320), ("API add-on", "month", 90),
    ("Audit log add-on", "month", 60), ("Sandbox environment", "month", 150), ("Field tablet", "", 540),
    ("Cable set", "", 24),
)  # fmt: skip

COMPLAINTS: tuple[tuple[str, str], ...] = (
    ("Cannot log in after password reset", "The reset link works, but the new password is refused."),
    ("Invoice shows the wrong address", "We moved last month; please correct the billing address."),
    ("Export stops at 10,000 rows", "The CSV export ends without an error, half of our data is missing."),
    ("Sensor kit offline since this morning", "Three of five sensors stopped sending at 06:40."),
    ("Question about the enterprise plan", "Does the plan include single sign-on for all seats?"),
    ("API returns 502 at night", "Between 2 and 3 a.m. every second call fails."),
    ("Please add a seat", "We hired a colleague and need one more seat from Monday."),
    ("Charged twice in March", "Our card shows two charges for the same invoice."),
    ("Dashboard is slow", "Loading takes more than twenty seconds with all sites selected."),
    ("Where is my parcel?", "Tracking has not moved for six days."),
    ("Wrong time zone in reports", "Reports count days in UTC, we need local time."),
    ("Data deletion request", "Please delete the account of a former employee."),
)
REPLIES = (
    "Thank you for reaching out, we are looking into it.",
    "Could you send us a screenshot and the time it happened?",
    "We found the cause and rolled out a fix; please try again.",
    "This works as expected on our side now. Thanks!",
    "I have forwarded this to our engineering team.",
    "Any news on this?",
)
TAGS = (
    "billing", "login", "export", "hardware", "api", "sales", "performance", "shipping", "vip", "reports",
    "gdpr", "urgent",
)  # fmt: skip
ISSUES = (
    "Retry uploads after a dropped connection", "Crash when the locale is Turkish",
    "Document the webhook payload", "Bump TLS to 1.3", "Flaky test in scheduler", "Support IPv6 gateways",
    "Dark mode for the settings page",
    "Race in token refresh", "Speed up cold start", "Wrong rounding of yen amounts",
    "Add pagination to audit log", "Memory grows with open sockets", "Translate onboarding mails",
    "Remove deprecated v1 routes", "Broken link in README", "Export as Parquet",
)  # fmt: skip
REPOSITORIES = ("gateway", "console", "sdk-python", "sdk-js", "firmware", "docs", "infrastructure", "billing")
LABELS = ("bug", "enhancement", "documentation", "good first issue", "performance", "security", "question")
