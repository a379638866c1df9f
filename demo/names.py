"""Word lists. Companies and people are invented. Domains end in the reserved `.example`."""

import re
import unicodedata
from typing import Final

MSP_NAMES: Final = (
    "Northlight IT",
    "Ünïcode Systemhaus GmbH",
    "Harbour & Pine Managed Services",
    "Copperfield Networks",
    "Tallgrass Technology Partners",
    "Bluefjord Drift AS",
    "Kestrel Ridge IT",
    "Lanternfish Systems",
)
"""The first tenants, in this order. The others combine `MSP_FIRST` with `MSP_LAST`."""

MSP_FIRST: Final = (
    "Alderwood", "Brightwater", "Cedarline", "Driftstone", "Eastmere", "Foxglove", "Greywhale",
    "Hollowbrook", "Ironbirch", "Juniper Bay", "Kingfisher", "Larkspur", "Moorgate", "Nightjar",
)  # fmt: skip
MSP_LAST: Final = ("IT", "Managed Services", "Systems", "Networks", "Technology Group", "Cloudworks")

COMPANY_FIRST: Final = (
    "Acorn", "Alder", "Amberley", "Ashdown", "Barnacle", "Bayleaf", "Beacon", "Birchfield", "Bramble",
    "Brookside", "Calloway", "Canterfield", "Cloverleaf", "Cobalt", "Corvid", "Crestline", "Dovetail",
    "Dunmore", "Elmhurst", "Everglen", "Fairbourne", "Falconer", "Fernhill", "Flintlock", "Gable",
    "Glasswing", "Goldcrest", "Granary", "Harrow", "Hawthorn", "Heathrow Lane", "Highcliff", "Hollis",
    "Inkwell", "Ivybridge", "Jasper", "Kelpie", "Kindling", "Larchmont", "Lodestar", "Maplewood",
    "Marlowe", "Meridian", "Millrace", "Nettlefold", "Oakhaven", "Orchard", "Osprey", "Pebble",
    "Peregrine", "Pinecrest", "Quarry", "Quillfeather", "Ravenscroft", "Redwater", "Rookery", "Saffron",
    "Sandpiper", "Silverlake", "Stonebridge", "Sycamore", "Thistle", "Tideway", "Umber", "Vantage",
    "Waverly", "Westerly", "Whitmore", "Wildwood", "Willowmere", "Wrenfield", "Yarrow",
)  # fmt: skip
COMPANY_TRADE: Final = (
    "Accounting", "Architects", "Auto Care", "Bakery", "Bookkeeping", "Brewing", "Builders", "Catering",
    "Chiropractic", "Clinic", "Coffee", "Construction", "Credit Union", "Dental", "Design", "Electrical",
    "Engineering", "Estates", "Family Law", "Farms", "Financial", "Freight", "Furniture", "Gardens",
    "Hardware", "Health", "Hotels", "Housing", "Insurance", "Interiors", "Legal", "Logistics",
    "Manufacturing", "Marine", "Media", "Metals", "Montessori", "Museum", "Optics", "Packaging",
    "Pediatrics", "Pharmacy", "Plumbing", "Press", "Properties", "Robotics", "Roofing", "Schools",
    "Seafood", "Solar", "Surveyors", "Textiles", "Timber", "Tooling", "Travel", "Veterinary", "Winery",
)  # fmt: skip
COMPANY_ENDING: Final = ("", "", "", " Ltd", " LLC", " Group", " & Sons", " Co.", " Partners")
COMPANY_UNICODE: Final = (
    "Ünïcode GmbH", "日本テクノ株式会社", "Żółw Logistyka", "Café Brûlé", "Ærø Værft", "Ελαιώνας",
    "Señorío Bodegas", "Зимний Сад", "İstanbul Çelik", "Smörgås & Söner",
)  # fmt: skip
BRANCHES: Final = (
    "Harbourside", "Old Town", "Airport Road", "Riverside", "North Warehouse", "Market Street",
    "Station Yard", "Hillcrest", "Dockside", "Campus", "South Depot", "Lakeview",
)  # fmt: skip

GIVEN_NAMES: Final = (
    "Aaliyah", "Adaeze", "Aiko", "Alma", "Amir", "Anouk", "Anselm", "Astrid", "Beatriz", "Bodhi", "Camille",
    "Cedric", "Chidi", "Dagny", "Delphine", "Dmitri", "Eamon", "Eleni", "Esther", "Farah", "Felix", "Freya",
    "Gael", "Greta", "Hana", "Hugo", "Ida", "Imani", "Ines", "Ivo", "Jada", "Jonas", "José", "Kai", "Katya",
    "Lars", "Leila", "Linnea", "Luca", "Maren", "Mateo", "Mei", "Mira", "Nadia", "Nils", "Noor", "Odile",
    "Omar", "Oskar", "Paloma", "Petra", "Quentin", "Rafael", "Renée", "Rhea", "Rosa", "Samir", "Saskia",
    "Siobhán", "Sören", "Tamsin", "Tariq", "Thandi", "Theo", "Uma", "Viktor", "Wren", "Xenia", "Yara", "Zoë",
)  # fmt: skip
FAMILY_NAMES: Final = (
    "Abara", "Achterberg", "Almqvist", "Arrowsmith", "Baptiste", "Bergström", "Blackwood", "Castellane",
    "Chowdhury", "Craddock", "Dahlgren", "Delacroix", "Eklund", "Fairweather", "Ferreira", "Fitzalan",
    "Gallego", "Grimshaw", "Halloran", "Hasegawa", "Hjelm", "Ibekwe", "Ivanek", "Jankowska", "Karlsdóttir",
    "Kobayashi", "Kruger", "Lindqvist", "Lovelace-Marsh", "Maddox", "Mbeki-Stone", "Moreau", "Nakagawa",
    "Nyström", "Oduya", "Okonjo", "Ostrander", "Pemberton", "Pillai", "Quist", "Rasmussen", "Rodríguez",
    "Sandoval", "Sørensen", "Takeda", "Thackeray", "Trevelyan", "Ueda", "Vasquez", "Verhoeven", "Whitlock",
    "Winterbourne", "Yilmaz", "Zielińska",
)  # fmt: skip

AGENT_VERSIONS: Final = ("2.4.1", "2.4.1", "2.4.1", "2.4.0", "2.4.0", "2.3.7", "2.3.2", "2.1.0", "1.9.12")
HOST_KINDS: Final = ("LT", "LT", "LT", "WS", "WS", "WS", "MB", "SRV", "DC", "KIOSK")
"""Laptop, workstation, MacBook, server, domain controller, kiosk, as abbreviated in host names."""
OPERATING_SYSTEMS: Final = {
    "windows": ("Windows 11 Pro 24H2", "Windows 11 Pro 23H2", "Windows 10 Pro 22H2"),
    "server": ("Windows Server 2022 Standard", "Windows Server 2019 Standard"),
    "macos": ("macOS 15.6", "macOS 14.7"),
    "linux": ("Ubuntu 24.04 LTS", "Debian 12"),
}

GROUPS: Final = (
    "All Staff", "Finance", "Front Desk", "Management", "IT Admins", "Remote Workers", "Sales", "Warehouse",
    "Marketing", "Projects 2026", "Printers", "Board", "Payroll", "会議室", "Contractors", "Security",
)  # fmt: skip
LICENSES: Final = (
    ("SPB", "Microsoft 365 Business Premium"),
    ("O365_BUSINESS_ESSENTIALS", "Microsoft 365 Business Basic"),
    ("SPE_E3", "Microsoft 365 E3"),
    ("EXCHANGESTANDARD", "Exchange Online (Plan 1)"),
    ("POWER_BI_PRO", "Power BI Pro"),
    ("VISIOCLIENT", "Visio Plan 2"),
)
TICKETS: Final = (
    "Printer on the second floor is offline", "Cannot sign in after password change", "Laptop battery swells",
    "VPN drops every ten minutes", "New starter on Monday: account and laptop", "Shared mailbox is missing",
    "Suspicious e-mail with an invoice", "Backup failed twice in a row", "Meeting room screen stays black",
    "Disk nearly full on the file server", "Please restore a deleted folder", "Scanner finds no share",
    "Request: second monitor", "Wi-Fi is slow in the canteen", "Firmware update of the firewall", "MFA reset",
)  # fmt: skip


def split_ascii_words(text: str) -> list[str]:
    """The ASCII words of a text, marks removed: `Ünïcode GmbH` gives Unicode, GmbH; 日本 gives nothing."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.findall(r"[A-Za-z0-9]+", plain)


def to_slug(text: str, fallback: str) -> str:
    """The text as a part of a URL, or `fallback` if it has no ASCII letters."""
    return "-".join(split_ascii_words(text)).lower() or fallback
