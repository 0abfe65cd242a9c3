"""Families of approximate index by name, as `index.kind` names them; docs/indexes.md describes each."""

from recsys.retrieval.families.family import Family
from recsys.retrieval.families.hnsw import HNSW
from recsys.retrieval.families.ivf_flat import IVF_FLAT
from recsys.retrieval.families.ivf_pq import IVF_PQ
from recsys.retrieval.families.ivf_sq8 import IVF_SQ8

FAMILIES: dict[str, Family] = {family.name: family for family in (IVF_SQ8, IVF_PQ, IVF_FLAT, HNSW)}
