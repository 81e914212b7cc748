"""The addresses of the agents' API, below /api/v1/."""

from __future__ import annotations

from django.urls import path, re_path
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from approvals.api import views

schema = SpectacularAPIView.as_view(
    renderer_classes=[OpenApiJsonRenderer2], authentication_classes=[]
)
docs = SpectacularSwaggerSplitView.as_view(
    url_name="api-schema", authentication_classes=[]
)

urlpatterns = [
    path("actions", views.ActionsView.as_view(), name="api-actions"),
    path("actions/<str:pk>", views.ActionView.as_view(), name="api-action"),
    path("actions/<str:pk>/revise", views.ReviseView.as_view(), name="api-revise"),
    path("actions/<str:pk>/cancel", views.CancelView.as_view(), name="api-cancel"),
    path("actions/<str:pk>/consume", views.ConsumeView.as_view(), name="api-consume"),
    path("actions/<str:pk>/outcome", views.OutcomeView.as_view(), name="api-outcome"),
    path("schema", schema, name="api-schema"),
    path("docs", docs, name="api-docs"),
    re_path(r"", views.NowhereView.as_view(), name="api-nowhere"),
]
