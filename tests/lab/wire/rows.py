"""The behaviours of the real API that the lab is measured by, a row each; docs/lab.md is made of them.

Measured on 8.4.5 (A), 9.2.11 (S2), with proxmoxer 2.3.0 (P3), or read in the sources of Proxmox VE (S4).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "A1": "Transport",
        "A2": "Who may ask",
        "A3": "Errors",
        "A4": "Tasks, and where an error shows up",
        "A5": "Locks, ids and copies",
        "A6": "Cloud-init",
        "A7": "Configuration, state, agent, snapshots",
        "A8": "Least privileges",
        "A9": "Timing",
        "A10": "Named formats",
        "S2": "9.2 against 8.4",
        "P3": "proxmoxer",
        "S4": "Read in the sources",
    }
)

_TEXT = """
A1-01 The certificate is signed by a CA of the cluster's own; with it as trust a client connects, without it not.
A1-02 `GET /nodes` carries the served certificate's SHA-256 as `ssl_fingerprint`; a client may pin it.
A1-03 `REQUESTS_CA_BUNDLE` beats `Session.verify = False` of requests, and not `verify=` of one request.
A1-04 An answer of 400 or above closes the connection.
A1-05 A good connection is closed after 100 requests.
A1-06 A connection that is silent for 5 s is closed.
A1-07 A form above 512 KiB is a 501.
A1-08 A head of 64 lines or 8 KiB gets no answer.
A1-09 JSON bodies are accepted as well as forms; `true` is a boolean.
A1-10 Booleans in answers are 0 and 1.
A1-11 The order of the keys of an object differs from call to call.
A1-12 `nextid`, `memory` and `agent` are text, `cores` and `kvm` numbers.
A1-13 Lists with pages put `total` beside `data`.
A1-14 A protected call takes a second hop, whose answer says `Connection: close, Keep-Alive` and stays open.
A1-15 A call behind a hop that takes longer than the proxy waits (30 s) is a 596, and its work goes on.
A1-16 An upload is not proxied: the node that received it copies it on, and the task's log names the target.
A1-17 With the daemon down, protected calls are `595 Connection refused`, the others 200.
A1-18 An unknown node is a 500 `hostname lookup '…' failed`; there is no 404.
A1-19 A missing program through the agent is `596 Broken pipe` after 5 s: its text does not fit into a reason line.
A1-20 595: a reason, no JSON.
A1-21 596: a reason, no JSON.
A1-22 597: a reason, no JSON.
A1-23 599: a reason, no JSON.
A1-24 An upload that is not multipart gets no answer.
A1-25 A verb that the API does not have (PATCH) is a 501 with an empty body.
A2-01 A token in its header writes without a token against forgery.
A2-02 A token's id has at least two characters.
A2-03 `POST /access/ticket` gives `ticket`, `CSRFPreventionToken`, `username`, `cap`.
A2-04 A cookie is enough to read; a write without or with a wrong token against forgery is a 401.
A2-05 A ticket lives two hours.
A2-06 A 401 takes 3 s.
A2-07 A 401 has an empty body.
A2-08 A failed login is the 401 that has JSON.
A2-09 8.4 says `No ticket`.
A2-10 8.4 says `no tokenid specified`.
A2-11 8.4 says `invalid token value!`.
A2-12 8.4 says `no such token '…' for user '…'`.
A2-13 8.4 says `no such user ('…')`.
A2-14 `POST /access/ticket` and `PUT /access/password` are not for tokens.
A2-15 A token of root@pam is not root@pam: `args`, `lock`, `vmgenid` are `only root can set '…' config`.
A2-16 `skiplock` with it is a 400 `Only root may use this option.`
A2-17 `import-from` a path with it is `Only root can pass arbitrary filesystem paths`.
A2-18 A ticket of root@pam sets `args`.
A2-19 A separated token starts with no rights, and has what both it and its user have.
A2-20 A 403 names path and privilege; alternatives are joined by `|`.
A2-21 A check with alternatives (clone, create, download-url) says only `Permission check failed`.
A2-22 Lists of VMs, storages, tasks, networks and pools are empty without rights, never a 403.
A2-23 `/nodes` and `/cluster/resources` show the nodes to everybody, without figures.
A2-24 `/cluster/status`, a storage's content and a VM's snapshots are 403.
A2-25 9.2: `regenerate=1` gives a new secret and kills the old one.
A2-26 9.2: every wrong token and every disabled user is `Authentication failed!`.
A3-01 Faulty, unknown and missing parameters: 400 `Parameter verification failed.`, all of them in `errors`.
A3-02 A missing VM, a lock, a digest, a storage, any other failure: 500; the reason is the message, the body repeats it.
A3-03 A missing permission: 403, `message` in the body.
A3-04 An unknown path or method: 501 `Method 'GET /x' not implemented`, with JSON.
A3-05 An unknown verb: 501 without a body.
A3-06 A missing VM is known only by `Configuration file 'nodes/…/qemu-server/….conf' does not exist`.
A3-07 `type check ('integer') failed - got 'x'`
A3-08 `property is not defined in schema and the schema does not allow additional properties`
A3-09 `invalid format - value does not look like a valid DNS name`
A3-10 `value must have a minimum value of 0`
A3-11 `invalid format - value does not look like a valid VM ID`
A3-12 `unknown option '…'`
A3-13 `no such task`
A3-14 `unable to parse worker upid`
A3-15 `target is local node.`
A3-16 proxmoxer shows the generic phrase, and the reason as `content`.
A4-01 A UPID names node, pid, process start, time, type, id and caller, tokens too.
A4-02 The types of tasks are called qmcreate, qmtemplate, qmstart, … and `resize`.
A4-03 An upload's task (imgcopy) has an empty id.
A4-04 A clone's task has the source's id.
A4-05 `exitstatus` is there only when `status` is stopped.
A4-06 A success with warnings is `WARNINGS: n`.
A4-07 An error of several lines is folded into one.
A4-08 The caller is split into `user` and `tokenid`.
A4-09 The node's list shows the end as `status` and `endtime`.
A4-10 The last line of the log says the same end.
A4-11 A log is read from 0, numbered from 1, 50 lines at a time; `limit=0` is all, -1 a 400; past the end is `[]`.
A4-12 An empty log is one line `no content`.
A4-13 The log of a running task has no last `TASK` line.
A4-14 Stopping a task waits for its end, gives null, and is fine on a finished one.
A4-15 A killed snapshot ends as `unable to read tail (got 0 bytes)`, leaves `lock: snapshot` and an unfinished entry.
A4-16 root@pam with `skiplock` takes the lock away.
A4-17 Somebody else's task needs Sys.Audit to read and Sys.Modify to stop.
A4-18 A VM is listed until its destruction has ended.
A4-19 9.2 logs more of a clone.
A4-20 clone: a faulty parameter, at once.
A4-21 clone: a missing permission, at once.
A4-22 clone: an id that exists, at once.
A4-23 clone: a lock, at once.
A4-24 clone: `storage` or `format` on a linked clone, at once.
A4-25 clone: an unknown target node, at once.
A4-26 clone: an error of the disk, in the task.
A4-27 start: a missing permission, at once.
A4-28 start: a missing or locked VM, in the task.
A4-29 start: already running, a template, no bridge, no snippet, in the task.
A4-30 stop: a missing permission, at once.
A4-31 stop: a missing or locked VM, in the task.
A4-32 stop, shutdown: a stopped VM is fine.
A4-33 shutdown: a lock, in the task.
A4-34 reboot, reset, suspend, resume: a VM that is not running, at once.
A4-35 reboot, reset, suspend, resume: a missing VM, at once.
A4-36 reboot, reset, suspend: a lock, in the task.
A4-37 shutdown: `VM is paused - cannot shutdown`, at once.
A4-38 shutdown: `VM quit/powerdown failed - got timeout` in the task, unless `forceStop`.
A4-39 destroy: a running VM, at once.
A4-40 destroy: a protected VM, at once.
A4-41 destroy: a lock, in the task.
A4-42 resize, snapshot: a faulty parameter, at once.
A4-43 snapshot: the reserved name `current`, at once.
A4-44 resize, snapshot, rollback, delsnapshot: a missing VM, in the task.
A4-45 resize, snapshot: a lock, in the task.
A4-46 destroy: a template with linked clones, in the task.
A4-47 snapshot, rollback, delsnapshot: a name that is there already or not, in the task.
A4-48 resize: a smaller disk, in the task.
A4-49 resize: a missing right to the storage, in the task.
A4-50 config PUT: everything, at once.
A4-51 config POST: a faulty parameter, at once.
A4-52 config POST: a missing permission, at once.
A4-53 config PUT starts no task.
A4-54 config POST: what cannot be allocated, in the task (qmconfig).
A4-55 A task whose log ends without a result is an `unexpected status`.
A5-01 Each of the nine locks is `VM is locked (…)`.
A5-02 A lock file is waited for: 10 s, by a clone 1 s; then `can't lock file '…' - got timeout`.
A5-03 A lock is shown in `status/current` and `/cluster/resources`.
A5-04 Linked clones of one template run side by side.
A5-05 `nextid` reserves nothing: who loses the race gets a 500, or a 200 and a failed task.
A5-06 Of several clones to one id one succeeds.
A5-07 `nextid?vmid=` of a used id is a 400 `VM … already exists`.
A5-08 The range of ids is the datacenter's option `next-id`.
A5-09 The digest is in `config`, `pending` and the entry `current` of the snapshots.
A5-10 A stale digest is a 500 `checksum mismatch (file change by other user?)`.
A5-11 A clone copies everything but snapshots, unused disks and the template flag, and gets MACs and ids of its own.
A5-12 A clone drops pending changes and warns.
A5-13 A clone without a name is `Copy-of-VM-…`.
A5-14 `full` is 0 for templates and 1 for other VMs unless given.
A5-15 The cloud-init drive is always copied in full.
A5-16 A clone for another node needs shared storage: two texts.
A5-17 A template's disks are `base-…`; a linked clone on files names its base.
A5-18 A disk on files is raw unless `format` is given.
A6-01 `sshkeys` that are not percent-encoded inside the form are a 400.
A6-02 They are read back encoded once.
A6-03 What is no key is a 500 `SSH public key validation error`.
A6-04 `cipassword` reads back as ten asterisks and is a SHA-256 crypt on the drive.
A6-05 A start writes the drive first.
A6-06 The comparison of a running guest's drive leaves out `ipconfigN`.
A6-07 user-data in the generator's order; `package_upgrade` unless `ciupgrade=0`.
A6-08 meta-data are a SHA-1 over user and network data: any change is another instance.
A6-09 Linux gets nocloud, Windows a config drive.
A6-10 Without `nameserver` the host's resolver is given.
A6-11 Network version 1, `eth0`, MAC in small letters.
A6-12 A missing `cicustom` file is refused, stored all the same, and the next start fails.
A6-13 fqdn is name and search domain.
A6-14 Snippets are not uploaded.
A7-01 A running VM takes what can be plugged; memory and cores go to `pending`.
A7-02 `revert` drops pending changes.
A7-03 A deleted disk is `unusedN`; `unlink force=1` frees it.
A7-04 Tags are stored sorted, unique, joined by `;`.
A7-05 A foreign character in a tag is a 400.
A7-06 A bridge that does not exist is accepted until the start.
A7-07 `status/current` of a running VM has pid, machine, QEMU, block and network figures.
A7-08 A paused VM is `running` with `qmpstatus: paused`.
A7-09 A wedged monitor costs 8 s and the answer is still 200.
A7-10 `/cluster/resources` is as old as the last broadcast; a new VM is `unknown` there.
A7-11 No agent: not configured, not running, not answering, three texts.
A7-12 A silent agent costs 3 s.
A7-13 Simple commands answer `{"result": …}`.
A7-14 exec takes an array; exec-status is decoded.
A7-15 A single text for exec is one word of argv.
A7-16 An unknown pid is `Agent error: Invalid parameter 'pid'`.
A7-17 file-read is bare, file-write null, a missing file `Agent error: failed to open file …`.
A7-18 A shutdown uses the agent, or ACPI without one.
A7-19 9.2: memhost and pressure; no disk traffic of a stopped VM.
A7-20 A snapshot's name has 2 to 40 characters of an id.
A7-21 `current` is in the list, with digest and `running`.
A7-22 A rollback without memory leaves the VM stopped unless `start=1`.
A7-23 The order of snapshots is in `parent`.
A7-24 A live snapshot freezes and thaws the guest.
A7-25 A backup needs VM.Backup and Datastore.AllocateSpace.
A7-26 Deleting an option that is not set is fine.
A8-01 Each call needs just the privileges of the table, on both releases.
A8-02 The suggested role carries a whole life, on both releases.
A10-01 pve-vmid: 3 to 9 digits, no leading zero.
A10-02 dns-name: labels of letters, digits and inner hyphens.
A10-03 pve-node: one such label.
A10-04 pve-configid: a letter, then at least one of letters, digits, `_`, `-`.
A10-05 pve-storage-id: a letter first, no punctuation last.
A10-06 pve-bridge-id: word characters, `-`, `.`.
A10-07 pve-volume-id: `storage:anything`.
A10-08 pve-poolid: up to three parts.
A10-09 urlencoded: nothing that has to be encoded, `+`, `@`, `/` included.
A10-10 pve-tag: begins with a letter, digit or `_`.
A10-11 mac-addr: unicast only.
A10-12 CIDRv4: prefixes of 8 to 32.
A10-13 Lists: comma, semicolon or space.
S2-01 `/version` tells the release.
S2-02 VM.Monitor is an invalid privilege in 9.2, VM.GuestAgent.* and VM.Replicate in 8.4.
S2-03 9.2 agent ping: Audit or Unrestricted.
S2-04 9.2 agent interfaces: Audit or Unrestricted.
S2-05 9.2 agent file-read: FileRead or Unrestricted.
S2-06 9.2 agent file-write: FileWrite or Unrestricted.
S2-07 9.2 agent fstrim: FileSystemMgmt or Unrestricted.
S2-08 9.2 agent exec: Unrestricted.
S2-09 9.2 agent by a generic POST: Unrestricted.
S2-10 9.2 agent shutdown: VM.PowerMgmt.
S2-11 9.2 file-read: `offset`, `count`, `decode`.
S2-12 Only 9.2 has `allow-ksm`.
S2-13 Only 9.2 has `ha-managed` on create.
S2-14 Only 9.2 has `with-conntrack-state` on migrate.
S2-15 Only 9.2 has `nets-host-mtu` on start.
S2-16 Only 8.4 has `maxfiles` on vzdump.
S2-17 Only 8.4 has `cyls` and its like on disks.
S2-18 Only 9.2 has `regenerate` on tokens.
S2-19 The state of a VM has other fields.
S2-20 The state of a node has other fields.
S2-21 Pools are named by `poolid`, nest, and let VMs move with `allow-move`.
S2-22 SDN.Use on the bridge is needed to clone.
S2-23 stop takes `overrule-shutdown`.
S2-24 9.2 checks tags at creation too.
S2-25 The life of a VM is the same on both.
S2-26 Errors are the same on both: 596, 501, 400.
P3-01 A clone's whole life in the library's own words.
P3-02 `ResourceException` has status, phrase, reason and errors.
P3-03 `total` is thrown away.
P3-04 `sshkeys` raw and with `quote()` are 400, with `quote(safe='')` taken.
P3-05 The default time-out is 5 s.
P3-06 `blocking_status` sleeps a second after a finished task.
P3-07 `blocking_status` gives None at its time-out, and dies with a failed poll.
P3-08 A password logs in inside the constructor.
P3-09 A ticket of an hour is renewed; that request still carries the old one.
P3-10 A ticket that has died is not renewed.
P3-11 A token works with a pinned certificate, and a wrong pin does not.
P3-12 Its log at INFO shows passwords.
P3-13 One thread uses one connection, twenty use many.
S4-01 `nextid` only looks.
S4-02 Clones to one id exclude each other.
S4-03 A clone begins as a stub with `lock: clone`; a caught failure frees volumes and removes it.
S4-04 A clone's UPID carries the source, not the new id.
S4-05 A clone has an smbios uuid of its own.
S4-06 `digest` is taken by config, resize and move_disk.
S4-07 Raw devices, `args` and `arch` are root's; `mapping=` is not.
S4-08 A freeze may hold a snapshot up for long.
S4-10 A clone that storage forbids is refused early.
"""
ROWS: Mapping[str, str] = MappingProxyType(dict(line.split(" ", 1) for line in _TEXT.strip().splitlines()))

ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "A4-55": "tests/lab/test_pve_tasks_list.py::test_a_stopped_task_ends_by_what_its_log_ends_with",
        "A8-01": "tests/lab/test_pve_privileges.py::test_a_call_needs_just_the_privileges_of_the_table",
    }
)
"""Rows whose test asks the site without a socket."""

NOT_SIMULATED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "A1-30": (
            "A proxy worker restarts after 1000 requests.",
            "a client sees no more of it than a closed connection, which A1-05 shows",
        ),
        "A2-30": ("The key that signs tickets changes every 24 h.", "a ticket dies long before (A2-05)"),
        "A4-60": (
            "`running` is decided by pid and process start.",
            "there are no processes; the numbers of a UPID are made up",
        ),
        "A7-30": (
            "`ballooninfo` of a running VM.",
            "the recorded answers of 8.4.5 have none, and the lab follows them",
        ),
        "A7-31": ("A start gives up after max(30, GiB of memory) s.", "no start takes that long by itself"),
        "A7-32": ("A backup fails at once without a sendmail binary.", "the lab's nodes have one"),
        "A9-01": ("How long calls take.", "measured on a loaded machine; the lab's durations are options (`--speed`)"),
        "S2-30": ("7.4.", "out of support; the lab is 8.4 or 9.2"),
        "S2-31": ("9.2 monitor with Sys.Audit or Sys.Modify.", "no monitor behind the VM: 501 on both"),
    }
)
"""What a row says, and why the lab does not show it."""
