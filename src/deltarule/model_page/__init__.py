"""A model as one HTML file: it predicts in any browser, and Python reads it as the model."""

from deltarule.model_page.page import model_page, save_model_page

__all__ = ["model_page", "save_model_page"]
