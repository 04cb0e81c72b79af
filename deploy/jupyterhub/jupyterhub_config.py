# A class on one server: JupyterHub starts a `labrun serve` for each student, stops the ones that nobody uses, and lets
# no more in than the memory carries. docs/class.md says how to set it up. JupyterHub 3.0 (Debian 12) and 5.2 (Debian 13).
#
# The hub, and all labs, are run by one ordinary account, which owns the folder below. Students have no account and no
# shell there: what they reach is the page, and the machines inside of QEMU. labrun keeps their progress apart by their names.

import asyncio
import hashlib
import hmac
import os

from jupyterhub import version_info
from jupyterhub.auth import Authenticator
from jupyterhub.spawner import LocalProcessSpawner

c = get_config()  # noqa: F821

# ---- what a course may want to change

# All that the class leaves behind is in here: who may log in, images, progress, records, the hub's own database.
folder = os.environ.get("LABRUN_CLASS_FOLDER", "/var/lib/labrun-class")

# Where the proxy listens. For the world, put nginx with HTTPS before it, or give JupyterHub a certificate (ssl_cert, ssl_key).
c.JupyterHub.bind_url = "http://127.0.0.1:8000/"

# What labrun is started with; name missions at the end, else all that are built in are offered. A server in which nobody
# has done anything for so long saves and ends itself: that needs no culler, and no page that was left open holds memory.
c.Spawner.cmd = ["labrun", "serve", "--jupyterhub", "--idle", "45m"]

# The teacher's view, at /services/class/: where it listens, which is for the proxy only. Students are told that their
# labs report to it. None: there is no such view, and nothing is reported.
class_url = "http://127.0.0.1:8027"

# MiB that a student's lab takes, and that all else on the server does. Week 1 takes 850 at most.
lab_memory, other_memory = 900, 2048

# ---- how many at once

memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
c.JupyterHub.active_server_limit = max(1, (memory - other_memory) // lab_memory)
c.JupyterHub.concurrent_spawn_limit = 10 * (os.cpu_count() or 1)  # a server starts in a moment; its machines come later

hub = os.path.join(folder, "hub")  # what the hub itself keeps
state = os.path.join(folder, "state")  # progress and records, and what the class keeps
class_socket = os.path.join(folder, "class.socket")  # where labs report
os.makedirs(hub, mode=0o700, exist_ok=True)

# ---- who may log in: ID:HASH, and :teacher where it is one, a line each, as the program `students` writes them. For a
# university's own logins have instead of all this section JupyterHub's authenticator_class, its allowed_users (or, in
# JupyterHub 5, allow_all), and teachers = ["lee"].

students = os.path.join(folder, "students")


def people():
    """Everybody in the list, by name, as they are in it now."""
    with open(students, encoding="utf-8") as lines:
        return {name: rest.split(":") for name, _, rest in (line.strip().partition(":") for line in lines) if name}


class ListAuthenticator(Authenticator):
    async def authenticate(self, handler, data):
        name = self.normalize_username(data["username"])
        salt, _, wanted = people().get(name, [""])[0].partition("$")
        if not wanted:
            return None
        found = await asyncio.to_thread(
            hashlib.scrypt, data["password"].encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1
        )
        return name if hmac.compare_digest(found.hex(), wanted) else None

    def check_allowed(self, username, authentication=None):
        return username in people()  # also who was taken off the list while logged in

    def check_allow_config(self):
        pass  # JupyterHub 5 would warn that nobody may log in: it looks only at its own lists


c.JupyterHub.authenticator_class = ListAuthenticator
teachers = [name for name, rest in people().items() if "teacher" in rest[1:]]

# ---- what teachers may

# They see who has a server, may start and stop it, and look on in it, where they type nothing; and they see the class.
c.JupyterHub.load_roles = [
    {
        "name": "teacher",
        "scopes": ["admin-ui", "list:users", "read:users", "servers", "access:servers", "access:services!service=class"],
        "users": teachers,
    }
]

# ---- how a student's server is started


class LabSpawner(LocalProcessSpawner):
    """Starts labrun by the hub's own account: JupyterHub's spawner wants one for each student."""

    async def start(self):
        # A server outlives the hub, and must not write to who reads no more.
        with open(os.path.join(hub, "servers.log"), "ab") as log:
            self.popen_kwargs = {"stdout": log, "stderr": log}
            return await super().start()

    def make_preexec_fn(self, name):
        return lambda: os.chdir(folder)

    def user_env(self, env):
        return {**env, "USER": self.user.name, "HOME": folder}


c.JupyterHub.spawner_class = LabSpawner
c.Spawner.environment = {
    "LABRUN_CACHE": os.path.join(folder, "cache"),  # one for all: what is in memory of an image is there once
    "XDG_STATE_HOME": state,
    "LABRUN_CLASS": class_socket if class_url else "",
    **{name: os.environ[name] for name in ("LABRUN_MIRROR",) if name in os.environ},
}
key = os.path.join(folder, "course.key")
if os.path.exists(key):
    c.Spawner.environment["LABRUN_COURSE_KEY"] = key
c.Spawner.http_timeout = c.Spawner.start_timeout = 120  # when a whole class comes at nine o'clock
c.LocalProcessSpawner.interrupt_timeout = 60  # a stopped server saves its lab first

# ---- the teacher's view, which the hub starts

handed = os.path.join(folder, "handed")  # what is put there counts as handed in
os.makedirs(handed, mode=0o700, exist_ok=True)
if class_url:
    c.JupyterHub.services = [
        {
            "name": "class",
            "url": class_url,
            # It ends with the hub, however that ends: the next one starts its own.
            "command": ["setpriv", "--pdeathsig", "TERM"]
            + ["labrun", "class", "--jupyterhub", "--socket", class_socket, "--handed", handed],
            "environment": {"HOME": folder, "XDG_STATE_HOME": state},
            "oauth_no_confirm": True,  # it is the hub's own, and asks only who somebody is
            "display": version_info >= (5,),  # before, its menu has it for all, also for whom it then turns away
        }
    ]

# ---- what outlives what: servers go on while the hub is started anew, and it finds them again

c.JupyterHub.cleanup_servers = False
c.JupyterHub.last_activity_interval = 60
c.JupyterHub.db_url = "sqlite:///" + os.path.join(hub, "jupyterhub.sqlite")
c.JupyterHub.cookie_secret_file = os.path.join(hub, "cookie_secret")
os.environ.setdefault("NODE_PATH", "/usr/share/nodejs")  # Debian's proxy finds its parts also with a node of others
c.ConfigurableHTTPProxy.pid_file = os.path.join(hub, "proxy.pid")
