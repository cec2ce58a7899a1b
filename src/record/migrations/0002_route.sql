-- Which routes of the platform are used: what `coverage` tells those who write rules.
CREATE TABLE route (
    method    TEXT NOT NULL,
    route     TEXT NOT NULL,
    requests  INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    PRIMARY KEY (method, route)
) STRICT, WITHOUT ROWID;
