-- The journal of a run that was killed during its second step, as version 1 wrote it.
PRAGMA user_version = 1;
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, step TEXT NOT NULL, what TEXT NOT NULL, data TEXT NOT NULL
);
INSERT INTO entry VALUES (1, 'a1', '0.0.clone', 'intent', '{"vmid": "201", "node": "n1"}');
INSERT INTO entry VALUES (2, 'a1', '0.0.clone', 'evidence', '{"upid": "UPID:x"}');
INSERT INTO entry VALUES (3, 'a1', '0.0.clone', 'result', '{"status": "changed", "summary": "cloned", "fact.vmid": "201"}');
INSERT INTO entry VALUES (4, 'a1', '0.1.boot', 'intent', '{"uuid": "7"}');
