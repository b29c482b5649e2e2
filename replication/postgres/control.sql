-- What the control plane keeps at a site (replication/control/README.md).

-- How this site's tables compare with a peer's: what was found when last looked, and how far a look has come.
CREATE TABLE IF NOT EXISTS kuroshio.verification (
    peer         text NOT NULL,
    nspname      text NOT NULL,
    relname      text NOT NULL,
    asked_at     timestamptz,                -- somebody wants it looked at now
    asked_by     text NOT NULL DEFAULT '',
    began_at     timestamptz,
    ended_at     timestamptz,                -- null: under way
    compared     bigint NOT NULL DEFAULT 0,  -- rows of this site, in the look under way or the last one
    letter_bytes bigint NOT NULL DEFAULT 0,  -- there and back
    divergent    bigint NOT NULL DEFAULT 0,  -- rows, when that could last be told; kuroshio.divergent names them
    is_more      boolean NOT NULL DEFAULT false,
    told_at      timestamptz,                -- when it could last be told
    agreed_at    timestamptz,                -- when nothing differed, last
    undecided    text NOT NULL DEFAULT '',   -- why the last look could not tell
    PRIMARY KEY (peer, nspname, relname)
);

CREATE TABLE IF NOT EXISTS kuroshio.divergent (
    peer         text NOT NULL,
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL,
    found_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (peer, nspname, relname, key)
);

-- What peers have asked, and what was refused and why; '' for what nobody has signed.
CREATE TABLE IF NOT EXISTS kuroshio.letters (
    peer         text PRIMARY KEY,
    answered     bigint NOT NULL DEFAULT 0,
    refused      bigint NOT NULL DEFAULT 0,
    reason       text NOT NULL DEFAULT '',   -- of the last refusal
    heard_at     timestamptz NOT NULL
);

-- Which rows this site has sent again for a repair, and for whom.
CREATE TABLE IF NOT EXISTS kuroshio.repair (
    plan         text NOT NULL,              -- the digest of its file
    nspname      text NOT NULL,
    relname      text NOT NULL,
    key          text[] NOT NULL,
    planned_by   text NOT NULL,
    applied_by   text NOT NULL,
    applied_at   timestamptz NOT NULL DEFAULT now(),
    finding      text NOT NULL               -- what differed: sites and columns, never a value
);
