"""Every limit of the product, each with its reason."""

from typing import Final

PAGE_DEFAULT: Final = 50
"""Rows of a list if the request has no page size. They fill one screen of a table."""

PAGE_MAX: Final = 1_000
"""Rows of a list at most. A response then stays below a few hundred KiB."""

STATEMENT_TIMEOUT_MS: Final = 10_000
"""How long a read may take. A longer one keeps its snapshot open, and VACUUM cannot clean up."""

ANSWER_BYTES_MAX: Final = 16 << 20
"""Bytes that the database may send for one answer, and of long values in it: 1,000 rows of 16 KiB. An answer is in
memory about three times while it is made, and ten requests of each pool make one at the same time."""

WRITE_READ_BYTES_MAX: Final = 64 << 20
"""Bytes that the database may send within one transaction that writes: it reads rows before and after the change."""

BODY_MAX_BYTES: Final = 1 << 20
"""Bytes of a GraphQL request's body. Documents are some KiB; variables of bulk writes are some hundred KiB."""

BULK_BODY_MAX_BYTES: Final = 8 << 20
"""The same for a caller with a valid token who sends the length in advance: 5,000 entities of 1.6 KiB. Without a
valid token, parsing JSON of that length would take seconds and some hundred MiB."""

HEAD_MAX_BYTES: Final = 64 << 10
"""Bytes of a request's line and headers, the document of a GET included: four times what common proxies allow."""

HEADERS_MAX: Final = 200
"""Headers of a request. Browsers behind proxies send some forty. A header of four bytes takes 130 in memory."""

FRAMING_MAX_BYTES: Final = 64 << 10
"""Bytes of a chunked body that are no data: chunk sizes, chunk extensions, trailers. As many more are allowed as
the body has data. Clients send chunks of some KiB with ten bytes of framing each. They send hardly any trailers,
and trailers are ignored."""

PIPELINED_MAX: Final = 32
"""Requests of one connection that wait for the responses before them. Clients that pipeline at all send some. Each
takes 3 KiB, and 256 KiB that arrive at once contain 14,000 of them."""

HTTP_CONNECTIONS_MAX: Final = 10_000
"""HTTP connections that are open at once, at some 10 KiB each. Proxies keep some hundred open. Agents that connect
by themselves close after five seconds. Above half of this number, idle connections are closed at once."""

UNFINISHED_BYTES_MAX: Final = 32 << 20
"""Bytes of all requests and socket messages together that have not arrived completely, for callers without a
verified token. An ordinary request of 20 KiB is complete within milliseconds. This is room for 1,600 of them."""

UNFINISHED_SIGNED_BYTES_MAX: Final = 256 << 20
"""The same for callers with a verified token: 32 of the largest bulk writes."""

EARLY_CHECK_BYTES: Final = 64 << 10
"""The token of a longer body is verified before the body is complete. Nearly all requests are shorter and arrive in
one read."""

UNREAD_BYTES_MAX: Final = 256 << 20
"""Bytes of all HTTP responses together that their clients have not read yet: a thousand introspections."""

HTTP_KEEP_ALIVE_S: Final = 5.0
"""How long a connection stays open after a response. The next requests of a page arrive within this time."""

HTTP_HEAD_S: Final = 15.0
"""How long a connection may be open without a request, and how long a request's head may take. A head is one packet
or two."""

HTTP_STALLED_S: Final = 10.0
"""The window in which a body, a socket message and the reading of a response must make progress. TCP repeats a lost
packet several times within it."""

HTTP_BYTES_A_SECOND: Final = 1 << 10
"""The least average progress in that window: a tenth of what the slowest mobile networks carry."""

HTTP_REQUEST_S: Final = 300.0
"""How long a body may take to arrive, and a response to be read, at any pace: 8 MiB at 28 KiB a second."""

REFUSED_ORIGINS_LOGGED_MAX: Final = 100
"""Refused origins that one server logs, each once: more than a team has, and a short list for a flood of them."""

HTTP_LINGER_S: Final = 2.0
"""How long the server drops the rest of a request that it has refused before the end. A connection that is closed
with unread bytes is reset, and the client may lose the response. Most clients stop sending within a round trip."""

HTTP_LINGER_BYTES: Final = 64 << 20
"""How much it drops: eight bodies of the largest size. Reading them takes about 20 ms of CPU time."""

HTTP_SWEEP_S: Final = 1.0
"""How often open connections are checked against these times. A timer for each request would cost more than all
checks."""

FILTER_VALUES_MAX: Final = 1_000
"""Values of one `in` list: as many as a page has rows."""

FILTER_DEPTH_MAX: Final = 8
"""Nesting of `and`, `or`, `not` and relations in one filter. Each level of relation is a subquery."""

FILTER_CONDITIONS_MAX: Final = 1_000
"""Conditions of one statement's filters, groups included. Dashboards send some dozen. A statement holds at most
32,767 values, and PostgreSQL plans each condition anew."""

ORDER_TERMS_MAX: Final = 8
"""Terms of one `orderBy`. A keyset page compares each of them."""

TOKEN_MAX_BYTES: Final = 8 << 10
"""Bytes of a bearer token. Common proxies refuse a header of this size in any case."""

TOKEN_LEEWAY_S: Final = 10
"""How far the clocks of the issuer and the server may differ. NTP keeps them within one second. A Clerk token lives
for 60 seconds, so a larger leeway would extend its life noticeably."""

TOKENS_CACHED_MAX: Final = 10_000
"""Verified tokens in the cache, half a KiB each. The least recently used is evicted first."""

TOKEN_CACHE_S: Final = 60
"""How long a verified token needs no second signature check (about 100 µs). A key that the issuer has withdrawn
works for this much longer. The user, role and tenant are still looked up each time."""

VIEWERS_CACHED_MAX: Final = 10_000
"""Viewers cached from their sign-in, as many as tokens. Each takes a KiB, and its rights."""

SUBJECT_MAX_CHARS: Final = 255
"""The longest `sub` that OpenID Connect Core allows an issuer (section 2)."""

EMAIL_MAX_CHARS: Final = 320
"""64 before the @ and 255 after it (RFC 5321, section 4.5.3.1)."""

INVITATION_MS: Final = 7 * 86_400_000
"""How long an invitation's code is valid: a week, in which people read their mail. A new invitation can be made at
any time."""

PENDING_INVITATIONS_MAX: Final = 50
"""Invitations that one person is shown, each of another tenant. A person with more accepts or declines some first."""

RELEASE_TIMEOUT_MS: Final = 60_000
"""How long the statement that releases a deleted user's subject may take. It updates all audit rows of the user."""

RSA_BITS_MIN: Final = 2_048
"""RFC 7518 section 3.3: smaller keys must not be used with RS256."""

RSA_BITS_MAX: Final = 8_192
"""Verification time grows with the square of the modulus. No provider signs tokens with more than 4,096."""

JWKS_MAX_BYTES: Final = 256 << 10
"""Bytes of an issuer's key set. A key with its certificates is 3 KiB, and the largest public sets have some dozen
keys."""

JWKS_TIMEOUT_S: Final = 5
"""One fetch of the keys, from connecting to the last byte. Callers with unknown keys wait for it."""

JWKS_FRESH_S: Final = 600
"""Keys older than this are fetched anew. While the issuer answers, a withdrawn key is accepted for no longer."""

JWKS_STALE_S: Final = 3_600
"""How long keys are used past their freshness while the issuer cannot be reached. An outage of an hour at the
issuer causes none here. An attacker who cuts the network cannot keep a withdrawn key valid."""

JWKS_REFRESH_PAUSE_S: Final = 30
"""For this long after a fetch, an unknown `kid` causes no other fetch: a caller can make up any number of them."""

JWKS_RETRY_PAUSE_S: Final = 5
"""The same after a failed fetch. A short failure of the issuer must not last half a minute here."""

ISSUED_TOKEN_LIFETIME_S: Final = 7 * 24 * 3600
"""The lifetime of tokens from the command line, for the platform and the demo. A stolen one expires within the
week."""

MIGRATION_LOCK_WAIT_S: Final = 300.0
"""How long a starting server waits while another one migrates: far longer than any migration so far."""

MIGRATION_LOCK_POLL_S: Final = 0.1
"""How often the server retries the lock meanwhile. This does not delay a start noticeably."""

DOCUMENT_CHARS_MAX: Final = 100_000
"""Characters of a GraphQL document. The values of bulk writes belong in variables."""

DOCUMENT_TOKENS_MAX: Final = 5_000
"""Tokens of a GraphQL document, comments included. The largest that dashboards send have some hundred."""

ANONYMOUS_DOCUMENT_CHARS_MAX: Final = 20_000
"""Characters of an anonymous caller's document. The standard introspection has two thousand."""

ANONYMOUS_DOCUMENT_TOKENS_MAX: Final = 1_000
"""Tokens of an anonymous caller's document. The standard introspection has 250, and such a caller may request
nothing larger. Its validation takes some hundredths of a second."""

DOCUMENT_NESTING_MAX: Final = 64
"""Nested brackets of a document, and nested selection sets with fragments expanded. It is three times what
`DEPTH_MAX` fields take. Python's stack holds ten times as many."""

DOCUMENT_OPERATIONS_MAX: Final = 20
"""Operations in one document. Validation visits all fragments once for each of them."""

DOCUMENT_SELECTIONS_MAX: Final = 5_000
"""Fields and spreads of a document with its fragments expanded. A few hundred bytes of fragments that spread other
fragments can expand to millions, and the response would contain them all."""

DOCUMENT_COMPARISONS_MAX: Final = 50_000
"""Steps of merging and comparing fields with equal response keys. It is ten times `DOCUMENT_SELECTIONS_MAX`,
because each field is merged once for its objects and once for its shape. All these steps take a tenth of a
second."""

DOCUMENT_ERRORS_MAX: Final = 20
"""Validation errors in one response. An invalid document must not cost more than a valid one."""

CPU_BUDGET_CALLERS: Final = 10_000
"""Callers with a CPU budget, as many as tokens in the cache. The longest unused is evicted first."""

DOCUMENT_CPU_SHARE: Final = 0.2
"""CPU seconds per second, in the long run, to parse, validate and compile the documents of one signed-in caller. A
cached document costs nothing. An application is charged only for new ones, and may send 50 a second."""

DOCUMENT_CPU_BURST_S: Final = 2.0
"""The same in one burst after a quiet time: a thousand ordinary documents, as after a server's start."""

ANONYMOUS_ADDRESS_CPU_SHARE: Final = 0.05
"""The same in the long run for the anonymous callers of one address. They sign in with one or two documents."""

ANONYMOUS_ADDRESS_CPU_BURST_S: Final = 0.5
"""The same in one burst for one address."""

ANONYMOUS_CPU_SHARE: Final = 0.1
"""The same in the long run for all anonymous callers together, from any number of addresses."""

ANONYMOUS_CPU_BURST_S: Final = 1.0
"""The same in one burst for all of them."""

DOCUMENTS_WAITING_MAX: Final = 100
"""Documents that wait for validation, per signed-in caller and for all anonymous callers together: enough for some
pages."""

DOCUMENT_PAUSE_FROM_S: Final = 0.002
"""If a step of reading a document took longer than this, a pause follows. Other requests need several iterations of
the event loop. Without the pause each iteration would wait for a step."""

DOCUMENT_PAUSES: Final = 3
"""How many times as long as the step the pause is. So new documents take a quarter of the event loop."""

SOCKET_CPU_SHARE: Final = 0.05
"""CPU seconds per second, in the long run, that the documents of one socket may take before its messages are
delayed."""

LITERAL_PRINTED_CHARS: Final = 2_000
"""Up to this many characters, each error of a literal is reported. graphql-core prints the whole literal for each
error, so only the first error of a longer literal is reported."""

DEPTH_MAX: Final = 20
"""Nesting of fields. Five relations through `edges` and `node` take 16, the introspection that tools send takes 15.
"""

ALIASES_MAX: Final = 100
"""Response keys that differ from the field's name, with fragments expanded. A page renames a dozen. Each may be
another statement and another copy of a large value."""

ROOT_FIELDS_MAX: Final = 50
"""Fields at an operation's root. Each is a statement of its own, and a dashboard's page has a dozen."""

INTROSPECTION_LISTS_MAX: Final = 2
"""Nesting of lists of fields, input fields, interfaces or possible types. Each level multiplies the response, and
tools nest none."""

COST_MAX: Final = 25_000
"""Estimated rows that an operation may touch: about a second of work at most. It is six times what 100 sites with
20 agents each and their health take."""

COST_COUNT: Final = 10
"""Cost of a `totalCount` in rows: an index scan that returns one."""

COST_SEARCH: Final = 50
"""Cost of a `search` in rows. It reads several columns, and no index serves them all."""

COST_SCANNED_CONDITION: Final = 1 / 400
"""Cost of a condition or an order for each scanned row, in rows. PostgreSQL compares a column in 0.1 µs, and the cost
limit stands for a second."""

COST_SCANNED_TEXT: Final = 1 / 100
"""The same of a condition that ignores case or reads JSON: 0.4 µs."""

COST_SCANNED_COMPUTED: Final = 1 / 5
"""The same of a column that is computed from other rows, such as the name of a linked site: 8 µs."""

COST_SCANNED_RELATION: Final = 1 / 20
"""The same of a filter on a related row, in addition to its conditions: 2 µs to find the row."""

COST_SCANNED_COUNT: Final = 1 / 400
"""The same of a row that `totalCount` counts."""

TABLE_STATISTICS_INTERVAL_S: Final = 60.0
"""How often a server reads PostgreSQL's statistics of the tables. They change with VACUUM and ANALYZE, which run at
most once a minute."""

TABLE_STATISTICS_TENANTS_MAX: Final = 1_000
"""Tenants whose row counts are kept until the next read, at two KiB each. The platform names tenants as it likes."""

COST_INTROSPECTION: Final = 1.5
"""Cost of a type, field, argument or value of the schema, in rows. To describe one takes longer than to read a row.
The whole schema, which tools request, must fit several times."""

DOCUMENTS_CACHED_MAX: Final = 1_000
"""Documents in the cache, parsed and validated. An application has some hundred distinct ones."""

DOCUMENTS_CACHED_TOKENS_MAX: Final = 100_000
"""Tokens of all cached documents: a thousand of a hundred each, at about 1 KiB of memory a token."""

POOL_ACQUIRE_TIMEOUT_S: Final = 5.0
"""How long a request waits for a database connection: half of a statement's time. Longer queues only grow."""

LONG_COST_MIN: Final = 500
"""The cost from which a request counts as long: 20 ms of work. While other tenants are active, only a few long
requests of one tenant run at once."""

LONG_STATEMENTS_MIN: Final = 2
"""How many of them always run at once. One would let a statement of some seconds stop all others of its tenant."""

OTHERS_RECENT_S: Final = 10.0
"""How long after its last request a tenant counts as active, so that long statements leave cores free for it."""

SHARES_REMEMBERED_MAX: Final = 1_000
"""Shares whose last request is remembered. Only the latest two matter at a time."""

DATABASE_CONNECT_S: Final = 5.0
"""How long a new connection to the only host may take: as long as a request waits for one."""

DATABASE_HOST_CONNECT_S: Final = 2.0
"""The same for one of several hosts. A host that is gone must leave time for the next within a request's wait."""

DATABASE_CLOSE_S: Final = 2.0
"""How long a connection has to close gracefully before it is dropped."""

DATABASE_DEADLINE_S: Final = STATEMENT_TIMEOUT_MS / 1000 + 3
"""How long the server waits for PostgreSQL's reply to a statement. PostgreSQL itself ends it three seconds earlier,
unless its process has stopped or the network is cut."""

LONG_STATEMENT_S: Final = 4 * 3_600.0
"""The same for statements of migrations, imports, exports and backups. They build an index over a whole log, or merge
a table of 100 million rows. Whether PostgreSQL answers at all is probed meanwhile."""

DATABASE_WATCH_S: Final = 1.0
"""How often that deadline is checked. A timer for each statement would cost more than all checks."""

DATABASE_KEEPALIVE_IDLE_S: Final = 10
"""After so much silence the kernel probes a connection to PostgreSQL. Its default is two hours."""

DATABASE_KEEPALIVE_INTERVAL_S: Final = 5
"""The interval of these probes."""

DATABASE_KEEPALIVE_PROBES: Final = 3
"""Unanswered probes after which the kernel closes the connection: 25 seconds after the last packet."""

POOLER_PROBE_S: Final = 1.0
"""How long the start waits to see whether a pooler has a second connection free."""

QUERY_VARIABLES_CHARS_MAX: Final = 250_000
"""Characters of a query's variables. A filter is some KiB, a cursor over a long text 160 KiB. Each list that uses a
value takes time in proportion to the value's length. A megabyte in fifty lists would take seconds."""

VARIABLES_DEPTH_MAX: Final = 64
"""Nesting of JSON in variables. Filters use a sixth of it, and Python's stack holds ten times as much."""

COMPRESSED_FROM_BYTES: Final = 16 << 10
"""Responses from this size on are compressed for clients that accept gzip. Below a dozen packets it is not worth
the work."""

OPERATION_NAMES_MAX: Final = 200
"""Distinct operation names in the metrics, each with some twenty series. An application has some dozens."""

OPERATION_NAME_LOGGED_MAX: Final = 120
"""Characters of an operation's name in logs and metrics. Names in applications are shorter."""

CLIENT_DISCONNECT_DELAY_S: Final = 0.1
"""After this time the server checks whether the client of a request is still connected. Most requests have ended by
then."""

PLANS_CACHED_CHARS_MAX: Final = 8_000_000
"""Characters of all cached plans: two thousand plans with their keys. A plan that contains a large JSON value takes
twenty times its characters of memory, so the worst case stays below 200 MiB."""

PLAN_CACHED_CHARS_MAX: Final = 200_000
"""Characters of one cached plan: several times a full dashboard's. A larger plan is compiled each time."""

CONFIG_BYTES_MAX: Final = 32 << 10
"""Bytes of the JSON of a data source's config: an address, a few names and keys. A certificate with its key takes 8
KiB."""

CONFIG_SCHEMA_NESTING_MAX: Final = 16
"""Nesting of schemas. A form has groups in groups. The stacks of Python and PostgreSQL hold many times that."""

BAD_FIELDS_REPORTED_MAX: Final = 50
"""Invalid fields that one error lists: more than a form has."""

HEALTH_DOWN_AFTER: Final = 3
"""Failures in a row after which a resource is down and no longer degraded. One failure may be chance, two in a row
rarely are."""

UPSERT_ITEMS_MAX: Final = 5_000
"""Entities or relationships of one call. If all are new, it writes for some seconds, in one transaction."""

EXTERNAL_ID_MAX_CHARS: Final = 500
"""Characters of an entity's id at its vendor. With its type it must fit into an index entry of 2,700 bytes."""

TYPE_NAME_MAX_CHARS: Final = 100
"""Characters of the type of an entity or relationship: one word, in the same index entry."""

DATA_HASH_MAX_CHARS: Final = 128
"""Characters of a hash that a client computed: SHA-512 in hexadecimal."""

LOCK_TIMEOUT_MS: Final = 5_000
"""How long a write waits for a locked row. Other writes hold their locks for milliseconds, and the client waits
meanwhile."""

WRITE_ATTEMPTS_MAX: Final = 4
"""Attempts of a write that a conflict with other writes ended. A deadlock is over after one retry."""

WRITE_PAUSE_S: Final = 0.02
"""The pause before the second attempt, doubled before each further one: longer than a write takes."""

WRITE_ROWS_MAX: Final = 500
"""Rows that one bulk mutation changes: half of the largest page. Each has a row in the audit log."""

WRITTEN_BYTES_MAX: Final = 32 << 20
"""Bytes of rows and audit rows that one request writes, from all of its mutations: four times the largest body. A
value that is set in 500 rows counts 500 times, and again in each audit row, and the audit log is kept for years."""

AUDIT_STEP_BYTES: Final = 1 << 20
"""After this many bytes of JSON that are compared for audit rows, the server handles other requests. It takes some
milliseconds."""

COST_WRITE: Final = 10
"""Cost of a written row, in rows: its lock, its change, its audit row and their indexes."""

TEXT_MAX_CHARS: Final = 200
"""Characters of a name, an id or another short text. An index entry holds 2,700 bytes."""

LONG_TEXT_MAX_CHARS: Final = 10_000
"""Characters of a description or a reason: some pages."""

TEXT_LIST_MAX: Final = 100
"""Members of a list of texts. An integration has a dozen types."""

JSON_CHARS_MAX: Final = 200_000
"""Characters of one JSON value that a client writes. A vendor's largest record is some ten KiB. Numbers count as
PostgreSQL writes them, without exponents: `1e100000` has six characters here and 100,001 in every response."""

NUMERIC_DIGITS_MAX: Final = 131_072
"""Digits of a JSON number before the decimal point. PostgreSQL's numeric type holds no more."""

NUMERIC_PLACES_MAX: Final = 16_383
"""Digits of a JSON number after the decimal point. PostgreSQL's numeric type holds no more."""

EXACT_NUMBERS_MAX: Final = 5_000
"""Numbers of one request with a point or an exponent, and with more digits than a float shows or near 0: each takes
5 us of the event loop, and as much again where it is written. Most vendors' JSON comes from floats and has none."""

EXACT_NUMBERS_BULK_MAX: Final = 20_000
"""The same of a bulk write: four for each of 5,000 entities."""

AMOUNT_MAX: Final = 1_000_000_000_000
"""The largest amount of money. A larger one is a typing error."""

SECRETS_PER_BATCH: Final = 200
"""Data sources per transaction of a key rotation, which encrypts their secrets anew. It locks their rows for some
hundredths of a second."""

DAILY_PURGE_GRACE_MS: Final = 7 * 86_400_000
"""How long a disabled data source can be enabled again. Then it is purged, with all data that it delivered."""

DAILY_PURGE_POLL_S: Final = 600.0
"""How often a server checks whether the day's clean-up has been claimed: one small statement."""

DAILY_PURGE_FIRST_POLL_S: Final = 60.0
"""The delay of the first such check after a server's start. Until then the server accepts its clients."""

DAILY_PURGE_LEASE_MS: Final = 900_000
"""If the server that claimed the clean-up reports no progress for this long, another continues it. A batch takes
well below a second."""

DAILY_PURGE_BATCH_ROWS: Final = 1_000
"""Rows that one transaction of the clean-up deletes. It holds their locks for some hundredths of a second."""

DAILY_PURGE_STATEMENT_MS: Final = 300_000
"""How long one statement of the clean-up may take. A batch in a table whose rows are spread over the disk reads each
page for itself. It is a third of the lease, so that no other server takes over meanwhile."""

DAILY_PURGE_LOCK_TIMEOUT_MS: Final = 1_000
"""How long the clean-up waits for a locked row. It may retry the next day."""

CREDENTIAL_KEPT_MS: Final = 90 * 86_400_000
"""How long the row of an expired or replaced credential stays. An investigation of an incident finds it for a
quarter."""

SOCKET_MESSAGE_MAX_BYTES: Final = 1 << 20
"""Bytes of one message from a client on a socket: as much as a request's body over HTTP."""

SOCKET_INIT_MESSAGE_MAX_BYTES: Final = 64 << 10
"""Bytes of one message before `connection_init` is accepted. It has a token of 8 KiB at most, and little else."""

SOCKET_FRAGMENTS_MAX: Final = 1_000
"""Fragments of one message. Clients fragment at 16 KiB, if at all. Each fragment takes 20 µs to parse, even a short
one."""

SOCKET_SLICE_BYTES: Final = 4 << 10
"""Bytes that a socket parses at once before its first message is processed. 256 KiB may arrive at once and contain
43,000 empty messages, which take 12 MiB."""

SOCKET_ID_CHARS_MAX: Final = 128
"""Characters of the id that a client gives an operation on a socket. Clients send numbers or UUIDs, and each
message repeats the id."""

SOCKET_OPERATIONS_MAX: Final = 200
"""Operations open at once on one socket. A dashboard's page has some dozen live queries."""

SOCKET_MESSAGES_A_SECOND: Final = 50
"""Messages that are read from one socket a second, in the long run. The rest stays unread, and the client has to
wait."""

SOCKET_MESSAGES_BURST: Final = 500
"""Messages that are read in one burst after a quiet time: all operations of a page end and start anew."""

SOCKET_BARRIERS_MAX: Final = 100
"""Pings of a socket that wait until a transaction is shown, one after each write. Further ones are answered at once.
"""

SOCKET_WAITING_PING_BYTES_MAX: Final = 4 << 10
"""Bytes of the pong of such a ping: the transaction, and a client's own mark. A hundred of them wait on each socket.
"""

SOCKET_BARRIER_S: Final = 10.0
"""How long such a ping waits. A statement's time is as long, and a client that knows no more reads its rows again."""

SOCKET_INIT_S: Final = 10.0
"""How long a socket may be open without its `connection_init`. A token is fetched in less."""

SOCKET_BACKPRESSURE_BYTES: Final = 256 << 10
"""If more bytes than this wait for a client to read them, the server reads no messages of this client. A client
that does not read must not request more."""

SOCKET_EVENTS_BYTES_MAX: Final = 1 << 20
"""If more bytes than this wait for a client to read them, its streams end. Events are not skipped, and a stream can
be resumed."""

SOCKET_UNSENT_BYTES_MAX: Final = 16 << 20
"""If more bytes than this wait for a client to read them, the client is disconnected. They are the newest states of
200 queries of 80 KiB each."""

SOCKETS_UNSENT_BYTES_MAX: Final = 512 << 20
"""Bytes that wait on all sockets together. Beyond this, the socket with the largest backlog is disconnected."""

SOCKET_STALLED_S: Final = 5.0
"""How often the server checks whether a client reads its backlog. A client that has read nothing since the last
check is disconnected. A broken network that recovers does so in less time."""

SOCKET_UNACKNOWLEDGED_S: Final = 10.0
"""If the other machine acknowledges nothing for this long, the kernel closes the connection."""

SOCKET_PING_S: Final = 20.0
"""How often a silent client gets a ping. Proxies close connections that are idle for 60 s."""

SOCKET_PONG_S: Final = 60.0
"""How long the client has for its pong. A slow reader finds the ping behind some hundred KiB. A machine that is
gone is noticed sooner, because it does not even acknowledge the ping."""

SOCKET_CLOSE_S: Final = 2.0
"""How long a client has to answer a close before the connection is cut."""

SOCKETS_MAX: Final = 20_000
"""Sockets open at once on one server, by default: half a GiB, with a live query on each."""

SOCKETS_SILENT_SHARE: Final = 0.5
"""The share of them that may wait for `connection_init`. Clients send it within a round trip, so few wait even
after a restart, when all connect at once. The other half is reserved for sockets that have sent it."""

SOCKETS_PER_VIEWER_MAX: Final = 100
"""Sockets of one user, or of the platform in one tenant, by default. A tab has one."""

SOCKETS_ANONYMOUS_MAX: Final = 500
"""Acknowledged sockets of anonymous callers together. There is hardly anything that they could request."""

CLOCK_STEP_MS: Final = 250
"""The longest delay until live queries show that an agent is offline. Silent agents expire one by one, and must not
cause a read of the table each."""

CLOCK_BACK_MAX_MS: Final = 1_000
"""How far the database's clock may be set back so that the server waits for it. NTP corrects more than that only at
a start."""

EXPIRED_ROWS_MAX: Final = 500
"""Agents that went offline in one step and are matched one by one. A server that was away for minutes finds all of
them. To run every query on agents is then cheaper than to match 60,000."""

EXPIRIES_CACHED_MAX: Final = 1_000
"""Agents known to expire next, so that the table is not read for each: a second's check-ins of 60,000 agents."""

LIVE_WORKERS: Final = 3
"""Connections that run the queries that one change made dirty. PostgreSQL runs on as many cores, and requests need
theirs."""

LIVE_SLOW_RUNS: Final = 2
"""Live queries above `LIVE_RUN_S` that run at the same time, each on a connection of its own."""

LIVE_CONNECTIONS: Final = LIVE_WORKERS + LIVE_SLOW_RUNS + 3
"""Connections of the live layer: these, and three for the refresh cycle, streams that resume, and retention."""

LIVE_RESERVED_CONNECTIONS: Final = 2
"""Those of them that no tenant's queries take: for the refresh cycle and retention."""

AGENT_CONNECTIONS: Final = 2
"""Connections for check-ins and the offline sweeper. They do not wait for requests, nor requests for them."""

READINESS_CONNECTIONS: Final = 1
"""Connections of the readiness check, which opens a new one for each check."""

DATABASE_CONNECTIONS_MIN: Final = LIVE_CONNECTIONS + AGENT_CONNECTIONS + READINESS_CONNECTIONS + 2
"""The least connections with which a server works: one for transactions of requests, one for single reads."""

LIVE_RUN_S: Final = 0.2
"""How long the other queries wait for a run of live queries. One takes 1 to 20 ms, and several hundred together
take 50. A result that takes longer is sent when it is ready, and shows a snapshot of its own."""

LIVE_SMALL_SLICE_S: Final = 0.01
"""If a tenant's queries in a refresh cycle are expected to take longer than this, the next cycles do not wait for
them. With a poll before and after it, other tenants' messages stay well below 50 ms."""

LIVE_BATCH_MAX: Final = 250
"""Live queries of one shape that one statement runs. With more of them, the time for each is no shorter."""

LIVE_BATCH_S: Final = 0.05
"""The intended duration of one statement for several live queries, from the duration of each in its last run."""

LIVE_BATCH_BYTES: Final = 16 << 20
"""The intended bytes of the answers of one such statement, from the last answer of each."""

LIVE_BATCH_BYTES_MAX: Final = 64 << 20
"""The most bytes of such a statement, if answers have grown or are new. With more, its queries run one by one."""

LIVE_DETACHED_RUNS_MAX: Final = 4
"""Statements that a refresh cycle runs one after another on its own connection. For more, other connections join
its snapshot."""

LIVE_POLL_MIN_S: Final = 0.005
"""The shortest pause between two polls, used right after a change. Polls then follow an active writer closely."""

LIVE_POLL_MAX_S: Final = 0.05
"""The longest pause between two polls when nothing changes: twenty statements a second, for everything that is
open."""

LIVE_POLL_EMPTY_S: Final = 1.0
"""The same when no socket is open. This is enough to keep the position in the log."""

LIVE_RETRY_MAX_S: Final = 2.0
"""The longest pause between two attempts while the database is away."""

LIVE_STATEMENT_TIMEOUT_S: Final = 15.0
"""How long a poll of the log may take: more than a statement's time. After that the poll is lost, with its
connection."""

LIVE_REPLAYED_ROWS_MAX: Final = 20_000
"""Changed rows kept for a query that reads an older snapshot, about 20 MiB. If there are more, the query is run
again."""

LIVE_RESULTS_CACHED_CHARS_MAX: Final = 128_000_000
"""Characters of all live results kept for later subscribers of the same query. Beyond it, a query is run once more.
"""

LIVE_SIGN_INS: Final = 500
"""Viewers signed in by one statement, if so many come at once or if a role or tenant with many viewers changed."""

STREAM_CURSOR_CHARS_MAX: Final = 65_536
"""Characters of a stream's cursor: two hundred, and up to 30 more for each transaction that was running when it was
made: its id, in base64, and padded so that the length does not show their number."""

STREAM_EVENTS_MAX: Final = 1_000
"""Events of one message, as many as a page has rows. If more become visible at once, they take several messages."""

STREAM_PENDING_EVENTS_MAX: Final = 10_000
"""Events that wait until a stream's earlier ones are sent. Beyond it they are dropped, and read again from the log.
"""

STREAM_READS_CONCURRENT_MAX: Final = 4
"""Stream messages that read their rows at the same time: half of the connections of a small pool."""

STREAM_CURSOR_INTERVAL_S: Final = 60.0
"""After this long without an event, a stream gets a fresh cursor. The log keeps the changes after a cursor for some
minutes."""

STREAM_RETRY_S: Final = 1.0
"""The pause before a stream retries after the database did not answer."""

CHANGE_LOG_RETENTION_S: Final = 300
"""How long the change log keeps a change after its commit. A server's restart and a network outage are over within
it. At a thousand writes a second the log is a gigabyte at most."""

DELTA_CHANGES_MAX: Final = 20_000
"""Logged statements that are read at once, a KiB each. With more, reading everything anew takes no longer."""

LIVE_CLOSE_S: Final = 0.5
"""How long running work has to finish when the server stops: a quarter of its two seconds."""

LIVE_RETENTION_INTERVAL_S: Final = 5.0
"""How often a server trims the change log: a fraction of the minutes that the log is kept."""

IMPORT_LINE_BYTES_MAX: Final = 3 << 20
"""Bytes of a row in an imported file: three times what Convex allows a document, which is longer as JSON. Parsing
takes up to forty times as much memory, and an import must need no more than 300 MB."""

IMPORT_HINT_BYTES_MAX: Final = 1 << 20
"""Bytes of the type information for one document in an export in Convex's older encoding. It is parsed, in memory,
together with the document."""

IMPORT_DIRECTORY_BYTES_MAX: Final = 16 << 20
"""Bytes of the list of members of a ZIP file, which is read into memory as a whole: 200,000 stored files besides
the tables."""

IMPORT_BOMB_BYTES: Final = 64 << 20
"""A member that unpacks to less than this is no ZIP bomb, whatever its packed size."""

IMPORT_BOMB_RATIO: Final = 200
"""A member that unpacks to more than this many times its size is a ZIP bomb. Rows that differ by an id and a time
reach 50."""

IMPORT_OVERRIDES_BYTES_MAX: Final = 24 << 20
"""Bytes of the type information for single documents in an export in Convex's older encoding, kept in memory: some
100,000 documents."""

IMPORT_KEY_BYTES_MAX: Final = 600
"""Bytes of a text in an index. Four of them are the 2,704 bytes that PostgreSQL allows an index entry."""

IMPORT_BATCH_BYTES: Final = 1 << 20
"""Bytes of a file that are sent to the database in one batch. A larger batch is not faster, and takes memory."""

IMPORT_BATCH_ROWS: Final = 2_000
"""Rows of one batch at most."""

IMPORT_EXAMPLES_MAX: Final = 20
"""Rejected rows that an import shows for one kind of reason. More of them say nothing new and hide other reasons."""

IMPORT_LOCK_WAIT_S: Final = 60.0
"""How long an import waits for background writers in all. A batch of the clean-up takes a second, rarely more."""

IMPORT_LOCK_ATTEMPT_MS: Final = 1_000
"""How long each attempt waits inside PostgreSQL, because it has a snapshot meanwhile."""

EXPORT_BATCH_ROWS: Final = 200
"""Rows of one batch of an export. 200 of the widest rows, a MiB each, are what an export may keep in memory."""

AGENT_BODY_MAX_BYTES: Final = 16 << 10
"""Bytes of the body of an agent's call: some hundred, and room for what future agents send."""

AGENT_TOKEN_LIFETIME_S: Final = 10 * 365 * 24 * 3600
"""The lifetime of an agent's token. Only an enrollment renews it. It lives as long as a device, and ends with the
agent."""

REPLACEMENT_PAUSE_MS: Final = 3_600_000
"""A used token of an agent can be replaced once in this time without a person. Two devices that fight for one agent
are noticed. A reinstallation that failed can be repeated after a coffee."""

AGENT_TOKENS_CACHED_MAX: Final = 100_000
"""Agents' tokens that need no second signature check (about 100 µs): 60,000 agents, at 40 MiB at most."""

AGENT_TOKEN_CACHE_S: Final = 3_600
"""How long these tokens stay in the cache. Only the server's key signs them, and it stays the same while the server
runs."""

AGENT_CALLS_BURST: Final = 10
"""Calls of one agent in one burst after a quiet time: it starts, gets no answer, and retries some times."""

ENROLLMENTS_BURST: Final = 1_000
"""Enrollments by one token in one burst after a quiet time: an RMM deploys the agent to a whole site at once."""

ENROLLMENT_LIFETIME_MAX_S: Final = 30 * 24 * 3600
"""The longest lifetime of an enrollment token. It is stored in scripts that are left unprotected, and a rollout
takes days."""

AGENT_TEXT_MAX_CHARS: Final = 255
"""Characters of a host name (DNS allows 253) or guid that an agent sends."""

AGENT_WORD_MAX_CHARS: Final = 64
"""Characters of a platform, version or address that an agent sends. An IPv6 address with its zone has 60 at most."""

CHECK_IN_BATCH_DELAY_S: Final = 0.02
"""How long check-ins are collected for one statement: twenty of them at a thousand a second."""

CHECK_INS_BATCH_MAX: Final = 250
"""Check-ins of one statement. It takes about 8 ms of PostgreSQL's time. Meanwhile the server reads the next
check-ins and answers the last.

With 1,024 waiting callers and statements of up to a thousand check-ins, one statement contained nearly all of them.
Either the server or PostgreSQL was idle then: 8,500 check-ins a second instead of 11,000.
"""

CHECK_INS_QUEUED_MAX: Final = 10_000
"""Check-ins that wait for the database at most: some seconds of work. Further ones are refused at once."""

CHECK_IN_WRITE_S: Final = 5.0
"""How long a batch of check-ins may take, with all its statements, before the database counts as away."""

CHECK_IN_LOCKED_RETRY_S: Final = 2.0
"""The longest time that a check-in waits for its agent's row while another transaction, such as a user's change,
has it locked."""

CHECK_IN_UNAVAILABLE_S: Final = 0.5
"""For this long after an outage, check-ins are refused without an attempt. Then they are tried again."""

OVERLOAD_RETRY_S: Final = 10
"""The `Retry-After` of refused callers, approximately: a sixth of the time between two check-ins."""

AGENT_LOGS_QUEUED_MAX: Final = 5_000
"""Entries of the agents' call log that wait for the database at most. Further entries go to the server's log."""

AGENT_LOGS_BATCH_DELAY_S: Final = 0.05
"""How long these entries are collected for one statement."""

OFFLINE_SWEEP_INTERVAL_S: Final = 5.0
"""How often the server searches for agents that have fallen silent. It reads all agents, 60,000 in 0.03 s."""

OFFLINE_SWEEP_LOAD_SHARE: Final = 20
"""The search takes at most one part in this many of the time, even with a million agents."""

OFFLINE_SWEEP_PAUSE_MAX_S: Final = 60.0
"""The longest pause between two searches, whatever the last one took. Silence is recorded this much later at most."""

OFFLINE_SWEEP_BATCH: Final = 1_000
"""Health checks of agents that one transaction changes. It delays their check-ins for some hundredths of a second."""

CLOCK_SKEW_MAX_MS: Final = 10_000
"""How far ahead of the database's clock a recorded time may be. The clocks of two servers differ after a failover.

A time further ahead was recorded by a clock that jumped. `app.latest` and `app.online_until` have the same number.
"""

TIME_MAX_MS: Final = 253_402_300_799_999
"""The latest time that a client may send, 9999-12-31T23:59:59.999Z: the last with four digits of the year."""

TIME_AHEAD_MAX_MS: Final = 24 * 3600 * 1000
"""How far ahead the time of a past event in an imported file may be. A local time that was read as UTC is 14 hours
off.

`app.next_updated_at` has the same number.
"""

SHUTDOWN_UNUSED_S: Final = 1.0
"""A server that is to stop, and had no connection for this long, does not wait for the rest of the delay."""

SHUTDOWN_NEW_CONNECTION_S: Final = 0.25
"""How long a stopping server waits for the first request on a connection that it has accepted: some round trips."""

SHUTDOWN_SOCKET_PAUSE_S: Final = 0.1
"""The longest pause between the closing of two sockets at a shutdown. Ten clients that reconnect in a second are no
burst; with more sockets the pause is shorter."""

SHUTDOWN_SOCKETS_SHARE: Final = 0.9
"""The share of the grace over which sockets are closed. The rest is for the clients' answers to the last ones."""

SHUTDOWN_CUT_S: Final = 0.4
"""How long requests that are cut have to roll back and answer. Without a grace, requests may finish within it, too.
With the rest of the shutdown it stays below two seconds."""

WORKER_RESTART_MIN_S: Final = 0.5
"""The pause before a worker process that ended is started again. It doubles while workers end soon after their start.
"""

WORKER_RESTART_MAX_S: Final = 30.0
"""The longest such pause. A database that is back is noticed within it."""

WORKER_HEALTHY_S: Final = 30.0
"""A worker that ran for this long had started well, so its end is a new fault."""

WORKER_KILL_S: Final = 5.0
"""How long workers may take to stop in addition to the delay and the grace, before they are killed."""

WORKER_METRICS_S: Final = 1.0
"""How long a scrape waits for the metrics of another worker. Prometheus waits for ten seconds."""

WORKER_AGENT_CALLS_MIN: Final = 2
"""Calls of one agent a minute that each worker allows at least. An agent needs one, and may retry it."""

LOOP_LAG_INTERVAL_S: Final = 0.5
"""How often the lag of the event loop is measured: often enough for a histogram, too seldom to cost anything."""

STATUS_INTERVAL_S: Final = 30.0
"""How often a server reads the size of the change log for its metrics: about as often as Prometheus scrapes."""

ACTIVITY_PAUSE_MS: Final = 10 * 60 * 1000
"""How coarse a user's `lastActivityAt` is. A thousand users write two rows a second at most, all servers together."""

ACTIVITY_WRITE_INTERVAL_S: Final = 30.0
"""How long the activity of users is collected for one statement."""

ACTIVITY_STOP_S: Final = 0.5
"""How long the last write may take when the server stops: it has two seconds in all."""

ACTIVITY_WRITE_ROWS: Final = 500
"""Users whose activity one statement writes at most: a transaction of some milliseconds."""

ACTIVITY_USERS_MAX: Final = 50_000
"""Users whose last activity one server remembers: 10 MB. The one that was active first is forgotten, and is written
again when it returns."""

LEGACY_POLL_S: Final = 10.0
"""How often a server reads whether agents without a token are admitted: `adopt-agents` takes effect within it."""

LEGACY_UNKNOWN_PER_MINUTE: Final = 600
"""Calls without a token that name no listed agent, on each server: each costs a part of a statement. Agents that were
found before are not held up by others."""

LEGACY_KNOWN_MAX: Final = 100_000
"""Agents without a token that one server remembers, 10 MB."""

ADOPTION_DAYS_MAX: Final = 366
"""How long agents may be admitted without a token. Their ids are no secret, so that the time must have an end."""

CLERK_TIMESTAMP_TOLERANCE_S: Final = 300
"""How far the timestamp of a webhook may be from the present time: the value of Svix's own libraries."""

CLERK_IDS_KEPT_MS: Final = 7 * 86_400_000
"""How long the ids of webhooks are kept. Clerk repeats a delivery for about 28 hours."""

CLERK_BODY_MAX_BYTES: Final = 256 * 1024
"""Bytes of a webhook's body. A user with all that Clerk allows in its metadata has some 40 KiB."""

JOB_LEASE_MS: Final = 15_000
"""How long a job's lease lasts without a renewal. A worker that is dead is replaced after it, and the next claim."""

JOB_RENEW_S: Final = 3.0
"""How often a worker renews the leases of its jobs: it may fail four times in a row."""

JOB_POLL_S: Final = 5.0
"""How often an idle worker claims without being woken: the safety net, which also finds the jobs of dead workers."""

JOB_CLAIM_RETRY_S: Final = 0.02
"""The pause after another server was claiming. A claim takes some milliseconds."""

JOB_PAUSE_S: Final = 1.0
"""The pause of a job's write while an import runs or the database is away."""

JOB_LOST_MAX: Final = 3
"""Lost leases after which a job fails. It may be the job that kills its workers."""

JOB_FAULT_ATTEMPTS_MAX: Final = 3
"""Attempts of a job that fails by a fault of ours. A fault is rarely gone by itself."""

JOB_BACKOFF_S: Final = 10.0
"""The longest pause before the second attempt, doubled before each further one. The pause is random below it."""

JOB_BACKOFF_MAX_S: Final = 3_600.0
"""The longest pause between two attempts. A vendor that was down for a day is back within an hour."""

JOB_PROGRESS_S: Final = 0.25
"""How often the progress of running jobs is written, in one statement for all jobs of a server."""

JOB_RESULTS_BATCH: Final = 200
"""Results of jobs that one statement writes."""

JOB_CLOSE_S: Final = 0.5
"""How long canceled jobs have to roll back when the server stops."""
