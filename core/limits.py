"""Every limit of the product, each with its reason."""

from typing import Final

PAGE_DEFAULT: Final = 50
"""Rows of a list when the caller says nothing: one screen of a table."""

PAGE_MAX: Final = 1_000
"""Rows of a list at most: an answer stays below a few hundred KiB."""

STATEMENT_TIMEOUT_MS: Final = 10_000
"""A read that takes longer holds a snapshot, and with it VACUUM, back."""

BODY_MAX_BYTES: Final = 1 << 20
"""A GraphQL request's body: documents are some KiB, variables of bulk writes some hundred."""

BULK_BODY_MAX_BYTES: Final = 8 << 20
"""The same of a caller with a good token, who says ahead how long it is: 5,000 entities of 1.6 KiB. Anybody's JSON of
that length would take seconds and some hundred MiB to look at."""

HEAD_MAX_BYTES: Final = 64 << 10
"""A request's line and headers, a GET's document among them: four times what common proxies let through."""

FILTER_VALUES_MAX: Final = 1_000
"""Values of one `in` list: as many as a page has rows."""

FILTER_DEPTH_MAX: Final = 8
"""Nesting of and, or, not and relations in one filter: each level of relation is a subquery."""

FILTER_CONDITIONS_MAX: Final = 1_000
"""Conditions of one statement's filters, groups included: dashboards send some dozen, a statement holds at most
32,767 values, and PostgreSQL plans each condition anew."""

ORDER_TERMS_MAX: Final = 8
"""Terms of one `orderBy`: a keyset page compares every one of them."""

TOKEN_MAX_BYTES: Final = 8 << 10
"""A bearer token: the size at which common proxies refuse the header anyway."""

TOKEN_LEEWAY_S: Final = 10
"""How far the clocks of issuer and server may be apart; NTP keeps them within one second, and a Clerk token
lives for 60, so that more would stretch its life noticeably."""

TOKEN_MEMO_MAX: Final = 10_000
"""Verified tokens remembered, the least recently used forgotten first: half a KiB each."""

TOKEN_MEMO_S: Final = 60
"""How long a verified token spares its signature check (about 100 µs): a key that the issuer has withdrawn
works for this much longer. The user, role and tenant are looked up each time all the same."""

VIEWERS_REMEMBERED: Final = 10_000
"""Viewers remembered from their sign-in, as many as tokens: a KiB each, and their rights."""

SUBJECT_MAX_CHARS: Final = 255
"""The longest `sub` that OpenID Connect Core allows an issuer (section 2)."""

EMAIL_MAX_CHARS: Final = 320
"""64 before the @ and 255 behind it (RFC 5321, section 4.5.3.1)."""

INVITATION_MS: Final = 7 * 86_400_000
"""How long an invitation's code is good: a week, within which people read their mail; another is made at any time."""

RSA_BITS_MIN: Final = 2_048
"""RFC 7518 section 3.3: smaller keys must not be used with RS256."""

RSA_BITS_MAX: Final = 8_192
"""Verification grows with the square of the modulus; no provider signs tokens with more than 4,096."""

JWKS_MAX_BYTES: Final = 256 << 10
"""An issuer's key set: a key with its certificates is 3 KiB, the largest public sets have some dozen."""

JWKS_TIMEOUT_S: Final = 5
"""One fetch of the keys from connecting to the last byte: the callers of unknown keys wait for it."""

JWKS_FRESH_S: Final = 600
"""Keys older than this are fetched anew: a withdrawn key is taken for no longer while the issuer answers."""

JWKS_STALE_S: Final = 3_600
"""Keys are used for this long past their freshness while the issuer cannot be reached: an hour's outage there
is none here, and someone who cuts the line cannot keep a withdrawn key alive."""

JWKS_REFRESH_PAUSE_S: Final = 30
"""After a fetch an unknown `kid` causes no other for this long: anyone can invent them."""

JWKS_RETRY_PAUSE_S: Final = 5
"""The same after a fetch that failed: the issuer's short hiccup must not last half a minute here."""

ISSUED_TOKEN_LIFETIME_S: Final = 7 * 24 * 3600
"""Tokens from the command line, platform and demo: a stolen one ends by itself within the week."""

MIGRATION_LOCK_WAIT_S: Final = 300.0
"""How long a starting server waits for another to migrate: longer than any migration so far, by far."""

MIGRATION_LOCK_POLL_S: Final = 0.1
"""How often it asks meanwhile: a start is not noticeably later for it."""

DOCUMENT_CHARS_MAX: Final = 100_000
"""Characters of a GraphQL document: bulk values belong into variables."""

DOCUMENT_TOKENS_MAX: Final = 5_000
"""Tokens of a GraphQL document, comments among them: the largest that dashboards send have some hundred."""

DOCUMENT_NESTING_MAX: Final = 64
"""Brackets within brackets in a document, and selection sets within selection sets with its fragments written
out: three times as many as `DEPTH_MAX` fields take, and Python's stack holds ten times as many."""

DOCUMENT_OPERATIONS_MAX: Final = 20
"""Operations in one document: validation goes through all fragments once for each of them."""

DOCUMENT_SELECTIONS_MAX: Final = 5_000
"""Fields and spreads of a document with its fragments written out: a few hundred bytes of fragments that spread
fragments can stand for millions, and the answer would have them all."""

DOCUMENT_COMPARISONS_MAX: Final = 200_000
"""Steps of comparing fields with equal response keys, each with each, as graphql-core counts them: a hundred
fragments in one place with the same fields take half of it, and all of it takes a third of a second."""

DOCUMENT_ERRORS_MAX: Final = 20
"""Validation errors told at once: an invalid document must not cost more than a valid one."""

DEPTH_MAX: Final = 20
"""Fields below fields: five relations through `edges` and `node` take 16, the introspection that tools send 15."""

ALIASES_MAX: Final = 100
"""Response keys that differ from the field's name, fragments written out: a page renames a dozen, and each may be
another statement and another copy of a large value."""

ROOT_FIELDS_MAX: Final = 50
"""Fields of an operation's root: each is a statement of its own; a dashboard's page has a dozen."""

INTROSPECTION_LISTS_MAX: Final = 2
"""Lists of fields, input fields, interfaces or possible types within one another: each multiplies the answer, and
tools nest none."""

COST_MAX: Final = 25_000
"""Rows that an operation may touch, estimated: six times what 100 sites with 20 agents each and their health
take, about a second of work at most."""

COST_COUNT: Final = 10
"""What a `totalCount` counts as, in rows: an index scan that returns one."""

COST_SEARCH: Final = 50
"""What a `search` counts as, in rows: it looks into several columns, and no index serves them all."""

COST_INTROSPECTION: Final = 2
"""What a type, field, argument or value of the schema counts as, in rows: telling it takes longer than a row, and
the whole schema, which tools ask for, must fit several times."""

DOCUMENTS_KEPT: Final = 1_000
"""Documents kept parsed and validated: an application has some hundred distinct ones."""

DOCUMENTS_KEPT_TOKENS: Final = 100_000
"""Tokens of all documents that are kept: a thousand of a hundred each, at about 1 KiB of memory a token."""

POOL_WAIT_S: Final = 5.0
"""How long a request waits for a connection to the database: half of a statement's time; longer queues only
grow."""

QUERY_VARIABLES_CHARS_MAX: Final = 250_000
"""Characters of a query's variables: a filter is some KiB, a cursor over a long text 160. Each list that uses a
value takes time for its whole length, of which a megabyte in fifty lists would make seconds."""

VARIABLES_DEPTH_MAX: Final = 64
"""Nesting of JSON in variables: filters nest to a sixth of it, and Python's stack holds ten times as much."""

COMPRESSED_FROM_BYTES: Final = 16 << 10
"""Answers from this size on are compressed for clients that take gzip: less than a dozen packets are not worth it."""

OPERATION_NAMES_MAX: Final = 200
"""Operation names that metrics tell apart, each with some twenty series: an application has some dozens."""

OPERATION_NAME_LOGGED_MAX: Final = 120
"""Characters of an operation's name in logs and metrics: names in applications are shorter."""

DEPARTURE_PATIENCE_S: Final = 0.1
"""After this time we look whether the client of a request is still there: most requests have ended by then."""

PLANS_KEPT_CHARS: Final = 8_000_000
"""Characters of all compiled plans that are kept: two thousand with their keys. One that knows a large JSON value
takes twenty times its characters of memory, so that the worst are below 200 MiB."""

PLAN_KEPT_CHARS: Final = 200_000
"""Characters of one plan that is kept: several times a full dashboard's; what is more is compiled each time."""

CONFIG_BYTES_MAX: Final = 32 << 10
"""JSON of a data source's config: an address, a few names and keys; a certificate with its key takes 8 KiB."""

CONFIG_SCHEMA_NESTING_MAX: Final = 16
"""Schemas within schemas: a form has groups in groups, and Python's and PostgreSQL's stacks hold many times that."""

BAD_FIELDS_TOLD: Final = 50
"""Bad fields that one refusal names: more than a form has."""

HEALTH_DOWN_AFTER: Final = 3
"""Failures in a row after which a resource is down and no longer degraded: one may be chance, two in a row rarely."""

UPSERT_ITEMS_MAX: Final = 5_000
"""Entities or relationships of one call: some seconds of writing where all are new, in one transaction."""

EXTERNAL_ID_MAX_CHARS: Final = 500
"""Characters of an entity's id at its vendor: with its type it has to fit into an index entry of 2,700 bytes."""

TYPE_NAME_MAX_CHARS: Final = 100
"""Characters of the type of an entity or relationship: one word, in the same entry."""

DATA_HASH_MAX_CHARS: Final = 128
"""Characters of a hash that a client made: SHA-512 in hexadecimal."""

LOCK_WAIT_MS: Final = 5_000
"""How long a write waits for a row that another holds: those take milliseconds, and the client waits, too."""

WRITE_ATTEMPTS_MAX: Final = 4
"""How often a write is tried that lost to others by no fault of its own: deadlocks are over after one."""

WRITE_PAUSE_S: Final = 0.02
"""The pause ahead of the second try, doubled for each further one: longer than a write takes."""

WRITE_ROWS_MAX: Final = 500
"""Rows that one bulk mutation changes: half a table page's largest; each has a row in the audit log."""

COST_WRITE: Final = 10
"""What a written row counts as, in rows: its lock, its change, its audit row and their indexes."""

TEXT_MAX_CHARS: Final = 200
"""Characters of a name, an id or another short text: an index entry holds 2,700 bytes."""

LONG_TEXT_MAX_CHARS: Final = 10_000
"""Characters of a description or a reason: some pages."""

TEXT_LIST_MAX: Final = 100
"""Members of a list of texts: an integration has a dozen types."""

JSON_CHARS_MAX: Final = 200_000
"""Characters of one JSON value that a client writes: a vendor's largest record is some ten KiB."""

AMOUNT_MAX: Final = 1_000_000_000_000
"""The largest amount of money: above it somebody has mistyped."""

SECRETS_AT_ONCE: Final = 200
"""Data sources whose secrets one transaction of a rotation renews: it holds their rows for some hundredths of a
second."""

CLEAN_UP_GRACE_MS: Final = 7 * 86_400_000
"""How long a data source that was disabled can be enabled again; then it is purged, with what it delivered."""

CLEAN_UP_LOOK_S: Final = 600.0
"""How often a server looks whether the day's clean-up has been taken: one small statement."""

CLEAN_UP_FIRST_LOOK_S: Final = 60.0
"""After this time a server that has started looks for the first time: until then it has its clients to let in."""

CLEAN_UP_SILENCE_MS: Final = 900_000
"""After this time without a word from the server that took it another goes on: a lot takes well below a second."""

CLEAN_UP_ROWS: Final = 1_000
"""Rows that one transaction of the clean-up deletes: it holds their locks for some hundredths of a second."""

CLEAN_UP_LOCK_WAIT_MS: Final = 1_000
"""How long it waits for a row that somebody else holds: it may come back tomorrow."""
SOCKET_MESSAGE_MAX_BYTES: Final = 1 << 20
"""One message of a client's on a socket: as much as a request's body over HTTP."""

SOCKET_ID_CHARS_MAX: Final = 128
"""The id that a client gives an operation on a socket: clients send numbers or UUIDs, and each message repeats it."""

SOCKET_OPERATIONS_MAX: Final = 200
"""Operations open at once on one socket: a dashboard's page has some dozen live queries."""

SOCKET_MESSAGES_A_SECOND: Final = 50
"""Messages that are heard from one socket in the long run; the rest waits unread, and the client with it."""

SOCKET_MESSAGES_AT_ONCE: Final = 500
"""Messages that are heard at once after a silence: all operations of a page end and begin anew."""

SOCKET_WAITS_MAX: Final = 100
"""Pings of a socket that wait for a snapshot, one after each write; those beyond are answered at once."""

SOCKET_INIT_S: Final = 10.0
"""How long a socket may be open without its `connection_init`: a token is fetched in less."""

SOCKET_CROWDED_BYTES: Final = 256 << 10
"""Where more than this waits for a client to read, it is not heard: who does not listen may not ask for more."""

SOCKET_EVENTS_BYTES_MAX: Final = 1 << 20
"""Where more than this waits for a client to read, its streams end: events are not skipped, and can be resumed."""

SOCKET_WAITING_BYTES_MAX: Final = 16 << 20
"""Where more than this waits for a client to read, it is cut off: the newest states of 200 queries of 80 KiB each."""

SOCKETS_WAITING_BYTES_MAX: Final = 512 << 20
"""What waits on all sockets together; beyond it the one on which most waits is cut off."""

SOCKET_STALLED_S: Final = 5.0
"""We look this often whether a client reads what waits for it, and cut it off when it has read nothing since: lines
that come back do so in less."""

SOCKET_UNACKNOWLEDGED_S: Final = 10.0
"""Where the other machine acknowledges nothing for this long, the kernel gives the connection up."""

SOCKET_PING_S: Final = 20.0
"""How often a silent client is asked whether it is there: proxies close what is idle for 60 s."""

SOCKET_PONG_S: Final = 60.0
"""How long it has to answer: a slow reader finds the ping behind some hundred KiB. A machine that is gone shows
sooner, as it does not even acknowledge the ping."""

SOCKET_CLOSE_S: Final = 2.0
"""How long a client has to answer a close before the connection is cut."""

SOCKETS_MAX: Final = 20_000
"""Sockets open at once on one server, unless the operator says otherwise: half a GiB, with a live query on each."""

SOCKETS_PER_VIEWER_MAX: Final = 100
"""Sockets of one user, or of the platform in one tenant, unless the operator says otherwise: a tab has one."""

SOCKETS_ANONYMOUS_MAX: Final = 500
"""Acknowledged sockets of anonymous callers together: there is hardly anything that they could ask for."""

CLOCK_STEP_MS: Final = 250
"""How much later live queries may hear that an agent went offline: silent ones run out one by one, and must not cause
a look at the table each."""

CLOCK_BACK_MAX_MS: Final = 1_000
"""How far the database's clock may be set back and be waited for: NTP corrects more than that only at a start."""

TURNED_ROWS_MAX: Final = 500
"""Agents that went offline in one step and are told one by one; a server that was away for minutes finds all of them,
and running every query on agents is cheaper than matching 60,000."""

TURNS_KNOWN: Final = 1_000
"""Agents known to run out next, so that the table need not be read for each: a second's check-ins of 60,000."""

LIVE_LANES: Final = 3
"""Connections that run what one change made dirty: PostgreSQL runs on as many cores, and requests want theirs."""

LIVE_SLOW_RUNS: Final = 2
"""Live queries that take longer than `LIVE_RUN_S` and are run at once, each on a connection of its own."""

LIVE_RUN_S: Final = 0.2
"""How long the others wait for a run of live queries, of which one takes 1 to 20 ms and several hundred together 50.
What takes longer is told when it is there, as true of its own moment."""

LIVE_BATCH_MAX: Final = 250
"""Live queries of one shape that one statement runs: of more, the time for each is no shorter."""

LIVE_BATCH_S: Final = 0.05
"""How long one statement for several live queries is to take, by what each took the last time."""

LIVE_ALONE_MAX: Final = 4
"""Statements that a tick runs one after another on its own connection; for more, others join its moment."""

LIVE_POLL_MIN_S: Final = 0.005
"""How soon after a change we look for the next one: a writer at work is followed closely."""

LIVE_POLL_MAX_S: Final = 0.05
"""How long we wait between two looks when nothing happens: twenty statements a second, for all that is open."""

LIVE_POLL_EMPTY_S: Final = 1.0
"""The same when no socket is open: enough to know where the log stands."""

LIVE_RETRY_MAX_S: Final = 2.0
"""Between two tries while the database is away, at most."""

LIVE_PATIENCE_S: Final = 15.0
"""How long a look into the log may take: more than a statement's time; then it is lost, with its connection."""

LIVE_REPLAYED_ROWS_MAX: Final = 20_000
"""Changed rows kept for one who reads at an older moment, about 20 MiB; where there are more, it reads again."""

LIVE_ANSWERS_KEPT_CHARS: Final = 128_000_000
"""Characters of all live answers that are kept for those who ask the same later; beyond it they are run once more."""

LIVE_SIGN_INS: Final = 500
"""Viewers signed in by one statement, where so many come at once, or a role or tenant changed that many hold."""

STREAM_CURSOR_CHARS_MAX: Final = 32_768
"""A stream's cursor: a hundred characters, and ten more for each transaction that was running when it was made."""

STREAM_EVENTS_MAX: Final = 1_000
"""Events of one message, as many as a page has rows; what became visible at once and is more takes several."""

STREAM_WAITING_MAX: Final = 10_000
"""Events that wait for a stream's earlier ones to be told, before they are forgotten and read again from the log."""

STREAM_RUNS_AT_ONCE: Final = 4
"""Messages of streams whose rows are read at once: half of the connections of a small pool."""

STREAM_CURSOR_S: Final = 60.0
"""After so long without an event a stream is told a fresh cursor: the log keeps what follows one for some minutes."""

STREAM_RETRY_S: Final = 1.0
"""After so long a stream that the database did not answer tries again."""

LOG_KEPT_S: Final = 300
"""How long the log of changes keeps a change, from its commit on: a server's restart and a network's outage are over
within it. At a thousand writes a second the log is a gigabyte at most."""

DELTA_CHANGES_MAX: Final = 20_000
"""Logged statements that are read at once, a KiB each: after more, reading everything anew takes no longer."""

LIVE_CLOSE_S: Final = 0.5
"""How long what runs has to end when the server does: a quarter of its two seconds."""

LIVE_KEEP_S: Final = 5.0
"""How often a server sees to it that the change log stays small: a fraction of the minutes that it is kept."""

IMPORT_LINE_BYTES_MAX: Final = 3 << 20
"""A row in an imported file: three times what Convex allows a document, which JSON writes longer. Parsed it takes up
to forty times as much memory, of which an import is to need no more than 300 MB."""

IMPORT_HINT_BYTES_MAX: Final = 1 << 20
"""What an export in Convex's older encoding says about one document: it is in memory beside the document, parsed."""

IMPORT_DIRECTORY_BYTES_MAX: Final = 16 << 20
"""The list of members of a ZIP file, read into memory as a whole: 200,000 stored files beside the tables."""

IMPORT_BOMB_BYTES: Final = 64 << 20
"""What unpacks to less than this is no ZIP bomb, however small it was."""

IMPORT_BOMB_RATIO: Final = 200
"""What unpacks to more than this many times its size is one: rows that differ by an id and a time come to 50."""

IMPORT_OVERRIDES_BYTES_MAX: Final = 24 << 20
"""What an export in Convex's older encoding says about single documents, kept in memory: some 100,000 documents."""

IMPORT_KEY_BYTES_MAX: Final = 600
"""A text that stands in an index: four of them are the 2,704 bytes that PostgreSQL's index entries may have."""

IMPORT_LOT_BYTES: Final = 1 << 20
"""Bytes of a file whose rows are sent to the database at once: more is not faster, and is memory."""

IMPORT_LOT_ROWS: Final = 2_000
"""Rows sent at once, at most."""

EXPORT_LOT_ROWS: Final = 200
"""Rows fetched at once for an export: of the widest, a MiB each, they are what an export may hold."""

AGENT_BODY_MAX_BYTES: Final = 16 << 10
"""The body of an agent's call: some hundred bytes, and room for what future agents tell."""

AGENT_TOKEN_LIFETIME_S: Final = 10 * 365 * 24 * 3600
"""An agent's token: renewed by enrolling only, it lives as long as a device, and dies with the agent."""

AGENT_TOKEN_MEMO_MAX: Final = 100_000
"""Agents' tokens that need no second check of their signature (about 100 µs): 60,000 agents, at 40 MiB at most."""

AGENT_TOKEN_MEMO_S: Final = 3_600
"""How long they are remembered: only the server's key speaks for them, and it stays while the server runs."""

AGENT_CALLS_AT_ONCE: Final = 10
"""Calls of one agent after a silence: it starts, finds no answer, and tries again some times."""

ENROLLMENTS_AT_ONCE: Final = 1_000
"""Enrolments by one token after a silence: an RMM rolls the agent out to a whole site at once."""

ENROLLMENT_LIFETIME_MAX_S: Final = 30 * 24 * 3600
"""The longest that an enrolment token may last: it stands in scripts that lie about; a rollout takes days."""

AGENT_TEXT_MAX_CHARS: Final = 255
"""A host name (DNS allows 253) or guid that an agent tells."""

AGENT_WORD_MAX_CHARS: Final = 64
"""A platform, version or address that an agent tells: an IPv6 address with its zone has 60 at most."""

CHECK_IN_GATHER_S: Final = 0.02
"""How long check-ins are gathered for one statement: twenty of them at a thousand a second."""

CHECK_INS_AT_ONCE: Final = 250
"""Check-ins of one statement: about 8 ms of PostgreSQL's, while the server reads the next ones and answers the last.

Of 1,024 callers who wait for their answers, statements of up to a thousand held nearly all, so that either the
server or PostgreSQL stood idle: 8,500 check-ins a second instead of 11,000.
"""

CHECK_INS_WAITING_MAX: Final = 10_000
"""Check-ins that wait for the database at most, some seconds' work; more are turned away at once."""

CHECK_IN_WRITE_S: Final = 5.0
"""How long a batch of check-ins may take, all its statements together, before the database counts as away."""

CHECK_IN_BUSY_S: Final = 2.0
"""How long a check-in waits for somebody who holds its agent's row, such as a person's change, at most."""

CHECK_IN_AWAY_S: Final = 0.5
"""After an outage check-ins are turned away unheard for this long, and then tried again."""

SHED_RETRY_S: Final = 10
"""After about what time callers who are turned away are told to come back: a sixth of the time between two beats."""

AGENT_LOGS_WAITING_MAX: Final = 5_000
"""Entries of the agents' call log that wait for the database at most; what is more stands in the server's log."""

AGENT_LOGS_GATHER_S: Final = 0.05
"""How long they are gathered for one statement."""

SILENCE_LOOK_S: Final = 5.0
"""How often agents are looked for that have fallen silent: it reads all agents, 60,000 in 0.03 s."""

SILENCE_LOOK_SHARE: Final = 20
"""And no more than one part in so many of the time, where there are a million of them."""

SILENCE_PAUSE_MAX_S: Final = 60.0
"""But at least once in so much time, however long a look took: so much later, at most, is silence told."""

SILENT_AT_ONCE: Final = 1_000
"""Agents' health checks that one transaction turns: it holds up their check-ins for some hundredths of a second."""
