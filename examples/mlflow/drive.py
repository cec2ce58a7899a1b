"""A working day on MLflow, with MLflow's own clients, against whatever MLFLOW_TRACKING_URI names.

With `--har FILE` everything that the clients send is recorded; passwords and the server's cookies are taken out.
`requests` is what MLflow's clients are built on: the recorder stands in its one place through which all traffic goes.
"""

import argparse
import base64
import datetime
import json
import os
import tempfile

import requests
from requests.adapters import HTTPAdapter

SECRET_FIELDS = {"password", "current_password", "secret"}
KEPT_HEADERS = {"content-type", "authorization"}
entries = []
send = HTTPAdapter.send


def without_secrets(text):
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict):
        value = {key: "left-out" if key in SECRET_FIELDS else kept for key, kept in value.items()}
    return json.dumps(value)


def header(name, value):
    if name.lower() == "authorization":  # a word for each person stays, their password does not
        person = base64.b64decode(value.split(" ", 1)[1]).decode().split(":", 1)[0]
        value = "Basic of-" + person
    return {"name": name, "value": value}


def recording(self, request, **options):
    begun = datetime.datetime.now(datetime.timezone.utc)
    response = send(self, request, **options)
    took = datetime.datetime.now(datetime.timezone.utc) - begun
    kept = [header(name, value) for name, value in request.headers.items() if name.lower() in KEPT_HEADERS]
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    if body is not None and not isinstance(body, str):
        body = ""  # a file that was streamed
    asked = {"method": request.method, "url": request.url, "httpVersion": "HTTP/1.1", "headers": kept,
             "queryString": [], "cookies": [], "headersSize": -1, "bodySize": len(body or "")}
    if body:
        asked["postData"] = {"mimeType": request.headers.get("content-type", ""), "text": without_secrets(body)}
    mime = response.headers.get("content-type", "")
    text = response.content.decode(errors="replace") if "json" in mime or mime.startswith("text/plain") else ""
    entries.append({
        "startedDateTime": begun.isoformat(), "time": took.total_seconds() * 1000,
        "request": asked,
        "response": {"status": response.status_code, "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [],
                     "headers": [{"name": "content-type", "value": mime}], "redirectURL": "", "headersSize": -1,
                     "bodySize": -1, "content": {"size": len(text), "mimeType": mime, "text": text}},
        "cache": {}, "timings": {"send": 0, "wait": 0, "receive": 0}})
    return response


HTTPAdapter.send = recording

from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param, RunTag, ViewType  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.server import get_app_client  # noqa: E402

PLATFORM = os.environ["MLFLOW_TRACKING_URI"]


def sign_in(name, password):
    """Whose requests follow; and what MLflow's page asks first."""
    os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = name, password
    return requests.get(PLATFORM + "/api/2.0/mlflow/users/current", auth=(name, password), timeout=60)


def refused(action, *arguments, **named):
    try:
        action(*arguments, **named)
    except (MlflowException, requests.HTTPError) as why:
        print("refused as it should be:", str(why).splitlines()[0][:90])
    else:
        raise SystemExit(f"{action} was not refused")


def page(method, path, **body):
    """What MLflow's page sends and its Python client has no word for."""
    who = (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"])
    response = requests.request(method, PLATFORM + path, json=body, auth=who, timeout=60)
    response.raise_for_status()
    return response


def people(password):
    auth = get_app_client("basic-auth", tracking_uri=PLATFORM)
    for name in ("anna", "bo"):
        auth.create_user(name, password)
    auth.update_user_admin("anna", True)
    auth.update_user_password("bo", password + "-2")
    role = auth.create_role("default", "reviewers", "Who reads everything")
    auth.update_role(role.id, name="Reviewers")
    allowed = auth.add_role_permission(role.id, "experiment", "*", "READ")
    auth.update_role_permission(allowed.id, "EDIT")
    auth.assign_role("bo", role.id)
    auth.list_user_roles("bo")
    auth.remove_role_permission(allowed.id)
    auth.unassign_role("bo", role.id)
    auth.delete_role(role.id)
    return auth


def experiments(client):
    churn = client.create_experiment("churn", tags={"team": "growth"})
    client.rename_experiment(churn, "churn 2026")
    client.set_experiment_tag(churn, "owner", "anna")
    client.delete_experiment_tag(churn, "owner")
    client.search_experiments(view_type=ViewType.ALL)
    return churn


def runs(client, churn):
    run = client.create_run(churn, run_name="first try").info.run_id
    client.update_run(run, name="baseline")
    client.log_param(run, "depth", 6)
    client.log_metric(run, "auc", 0.81)
    client.log_metric(run, "auc", 0.84)
    client.log_batch(run, metrics=[Metric("loss", 0.4, 1, 1)], params=[Param("eta", "0.1")], tags=[RunTag("gpu", "no")])
    client.set_tag(run, "reviewed", "yes")
    client.delete_tag(run, "reviewed")
    client.log_text(run, "all well", "notes.txt")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "report.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("a,b\n1,2\n")
        client.log_artifact(run, path, "reports")
    client.list_artifacts(run)
    client.set_terminated(run)
    client.search_runs([churn])
    page("DELETE", "/ajax-api/2.0/mlflow-artifacts/artifacts/" + f"{churn}/{run}/artifacts/notes.txt")
    lost = client.create_run(churn, run_name="mistake").info.run_id
    client.set_terminated(lost, "FAILED")
    client.delete_run(lost)
    client.restore_run(lost)
    page("POST", "/ajax-api/2.0/mlflow/runs/delete", run_id=lost)
    return run


def models(client, churn, run):
    model = client.create_logged_model(churn, name="trees", source_run_id=run, params={"depth": "6"})
    client.set_logged_model_tags(model.model_id, {"stage": "candidate"})
    client.delete_logged_model_tag(model.model_id, "stage")
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model("churn-model", description="Who leaves")
    client.update_registered_model("churn-model", description="Who will leave")
    client.set_registered_model_tag("churn-model", "tier", "gold")
    client.delete_registered_model_tag("churn-model", "tier")
    client.rename_registered_model("churn-model", "leavers")
    source = f"mlflow-artifacts:/{churn}/{run}/artifacts/reports"
    for _ in range(2):
        client.create_model_version("leavers", source, run_id=run)
    client.update_model_version("leavers", "1", description="depth 6")
    client.set_model_version_tag("leavers", "1", "checked", "yes")
    client.delete_model_version_tag("leavers", "1", "checked")
    client.transition_model_version_stage("leavers", "1", "Staging")
    client.transition_model_version_stage("leavers", "1", "Production", archive_existing_versions=True)
    client.set_registered_model_alias("leavers", "champion", "1")
    client.get_model_version_by_alias("leavers", "champion")
    client.delete_registered_model_alias("leavers", "champion")
    client.delete_model_version("leavers", "2")
    client.delete_logged_model(model.model_id)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--har")
    arguments.add_argument("--admin-password", required=True)
    given = arguments.parse_args()
    password = "a-long-password-7"

    sign_in("admin", given.admin_password)
    auth = people(password)
    sign_in("anna", password)
    client = MlflowClient(PLATFORM)
    churn = experiments(client)
    run = runs(client, churn)
    models(client, churn, run)
    auth.grant_user_permission("bo", "experiment", churn, "READ")
    auth.revoke_user_permission("bo", "experiment", churn)

    sign_in("bo", "a wrong one")
    refused(client.create_experiment, "never")
    sign_in("bo", password + "-2")
    refused(client.delete_experiment, churn)
    refused(client.delete_registered_model, "leavers")

    sign_in("anna", password)
    refused(client.create_experiment, "churn 2026")
    client.delete_registered_model("leavers")
    client.delete_experiment(churn)
    client.restore_experiment(churn)
    client.delete_experiment(churn)
    sign_in("admin", given.admin_password)
    for name in ("bo", "anna"):
        auth.delete_user(name)

    if given.har:
        log = {"version": "1.2", "creator": {"name": "drive.py", "version": "1"}, "entries": entries}
        with open(given.har, "w", encoding="utf-8") as file:
            json.dump({"log": log}, file)
    print(len(entries), "requests")


main()
