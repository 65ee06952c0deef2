"""A scoring service as it is usually written: FastAPI in front of LightGBM, nothing kept.

`/score` answers with the probability, `/explain` also with the contributions of the strongest four features.
The model's file is the environment variable MODEL.
"""

import os

import lightgbm
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

booster = lightgbm.Booster(model_file=os.environ["MODEL"])
names = booster.feature_name()
app = FastAPI()


class Application(BaseModel):
    """What the decision API is sent."""

    application_id: str
    features: dict[str, float | None]


def row(application: Application) -> np.ndarray:
    """The features as one row, shape (1, features); NaN where a value is missing."""
    values = (application.features.get(name) for name in names)
    return np.array([[np.nan if value is None else value for value in values]])


@app.post("/score")
async def score(application: Application) -> dict:
    """The probability of the adverse outcome."""
    probability = booster.predict(row(application), num_threads=1)[0]
    return {"application_id": application.application_id, "probability": float(probability)}


@app.post("/explain")
async def explain(application: Application) -> dict:
    """The probability, and the features that raised it most."""
    features = row(application)
    probability = booster.predict(features, num_threads=1)[0]
    parts = booster.predict(features, pred_contrib=True, num_threads=1)[0]
    strongest = np.argsort(-parts[:-1], kind="stable")[:4]
    return {
        "application_id": application.application_id,
        "probability": float(probability),
        "reasons": [{"feature": names[at], "contribution": float(parts[at])} for at in strongest],
    }
