// The lines of code that read a run with each vendor's client, with this server's address and the run's name in the
// vendor's words. Pure; tests run some of them with the real clients.

export interface Told {
  /** Where the server is, without a slash at the end. */
  address: string;
  /** Empty: the credential's own. */
  workspace: string;
  /** Whether the server wants a credential. */
  secured: boolean;
  run: string;
  /** The number by which Pluto's client knows the run. */
  key: number;
  experiment: string;
  /** A metric of the run, or "loss" where it has none. */
  metric: string;
  /** A task whose usage was measured. */
  task: string;
}

export interface Snippet {
  client: string;
  language: "Python" | "Shell";
  /** What the run is called there. */
  words: string;
  code: string;
}

export type Client = "mlflow" | "pluto" | "oracle" | "sap" | "modelarts" | "curl";
export const CLIENTS: readonly Client[] = ["mlflow", "pluto", "oracle", "sap", "modelarts", "curl"];
export const TITLES: Record<Client, string> = { mlflow: "MLflow", pluto: "Pluto", oracle: "Oracle", sap: "SAP", modelarts: "ModelArts", curl: "curl" };

export function snippetOf(client: Client, told: Told): Snippet {
  return WRITERS[client](told);
}

/** A text as Python says it. */
function py(text: string): string {
  return JSON.stringify(text);
}

function sh(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function lines(...parts: (string | false)[]): string {
  return parts.filter((part) => part !== false).join("\n");
}

const WRITERS: Record<Client, (told: Told) => Snippet> = {
  mlflow: ({ address, workspace, secured, run, metric }) => ({
    client: "mlflow",
    language: "Python",
    words: "A run, by its run_id.",
    code: lines(
      (secured || workspace !== "") && "import os",
      "import mlflow",
      "",
      secured && 'os.environ["MLFLOW_TRACKING_TOKEN"] = "sw_..."  # the secret of a credential',
      workspace !== "" && `os.environ["MLFLOW_WORKSPACE"] = ${py(workspace)}`,
      `mlflow.set_tracking_uri(${py(address)})`,
      `run = mlflow.get_run(${py(run)})`,
      "print(run.info.run_name, run.data.params, run.data.metrics)",
      `history = mlflow.MlflowClient().get_metric_history(${py(run)}, ${py(metric)})`,
      "print([(point.step, point.value) for point in history])",
    ),
  }),
  pluto: ({ address, secured, key, experiment, metric }) => ({
    client: "pluto-ml",
    language: "Python",
    words: "A run of a project, by its number.",
    code: lines(
      "import os",
      "",
      'for name in ("APP", "API", "INGEST", "PY"):',
      `    os.environ[f"PLUTO_URL_{name}"] = ${py(address)}`,
      `os.environ["PLUTO_API_KEY"] = ${secured ? '"sw_..."  # the secret of a credential' : '"any"'}`,
      "",
      "from pluto.query import Client",
      "",
      "with Client() as client:",
      `    run = client.get_run(${py(experiment)}, ${key})`,
      '    print(run["displayId"], run["name"], run["status"], run["config"])',
      `    metrics = client.get_metrics(${py(experiment)}, ${key}, [${py(metric)}])`,
      "    print(metrics)",
    ),
  }),
  oracle: ({ address, workspace, run, metric }) => ({
    client: "aidp-python-client",
    language: "Python",
    words: "An experiment run, by its run id; the workspace is the workspace key.",
    code: lines(
      "import oci",
      "from aidp_python_client.aidataplatform_dp import MLOpsClient",
      "",
      `client = MLOpsClient(oci.config.from_file(), service_endpoint=${py(address)})`,
      `place = ("ocid1.aidataplatform.oc1..cccc", ${py(workspace || "default")})`,
      `run = client.get_experiment_run_by_id(*place, ${py(run)}).data.run`,
      "print(run.info.run_name, run.info.status)",
      `print(client.get_experiment_run_metric_history(*place, ${py(run)}, ${py(metric)}).data.metrics)`,
    ),
  }),
  sap: ({ address, workspace, secured, run }) => ({
    client: "ai-core-sdk, sap-ai-sdk-core",
    language: "Python",
    words: /^[\w.-]{4,64}$/.test(run) ? "An execution, by its execution id." : "An execution. Its id may have 4 to 64 letters, digits, _, . and -; this run has another, and SAP's client cannot ask for it.",
    code: lines(
      "from ai_core_sdk.tracking import Tracking",
      "",
      "tracking = Tracking(",
      `    base_url=${py(`${address}/v2`)},`,
      `    auth_url=${py(`${address}/oauth/token`)},`,
      secured ? '    client_id="cr_...",  # id and secret of a credential' : '    client_id="any",',
      secured ? '    client_secret="sw_...",' : '    client_secret="any",',
      `    resource_group=${py(workspace || "default")},`,
      ")",
      `for metric in tracking.query(execution_ids=[${py(run)}]).resources[0].metrics:`,
      "    print(metric.name, metric.step, metric.value)",
    ),
  }),
  modelarts: ({ address, workspace, secured, run, task }) => ({
    client: "huaweicloudsdkmodelarts",
    language: "Python",
    words: "A training job, by its id; its tasks have the means of their usage by minute.",
    code: lines(
      "from huaweicloudsdkcore.auth.credentials import BasicCredentials",
      "from huaweicloudsdkmodelarts.v1 import ModelArtsClient, ShowTrainingJobMetricsRequest",
      "",
      secured
        ? `credentials = BasicCredentials("cr_...", "sw_...", ${py(workspace || "default")})  # id and secret of a credential`
        : `credentials = BasicCredentials("any", "any", ${py(workspace || "default")})`,
      `client = ModelArtsClient.new_builder().with_credentials(credentials).with_endpoint(${py(address)}).build()`,
      `request = ShowTrainingJobMetricsRequest(training_job_id=${py(run)}, task_id=${py(task)})`,
      "for metric in client.show_training_job_metrics(request).metrics:",
      "    print(metric.metric, metric.value)",
    ),
  }),
  curl: ({ address, workspace, secured, run, metric }) => {
    const more = lines(workspace !== "" && ` -H ${sh(`X-Stepwell-Workspace: ${workspace}`)}`, secured && " -H 'Authorization: Bearer sw_...'").replaceAll("\n", "");
    const place = `${address}/api/v1/runs/${encodeURIComponent(run)}`;
    return {
      client: "curl",
      language: "Shell",
      words: "A run, by its id, through the native API.",
      code: lines(`curl -s${more} ${sh(place)}`, `curl -s${more} ${sh(`${place}/points?metric=${encodeURIComponent(metric)}`)}`),
    };
  },
};
