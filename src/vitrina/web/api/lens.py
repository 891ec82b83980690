"""Search by photo and words over `/api/v1`, for a cashback service that embeds it, and products by their id."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, UploadFile

from vitrina.lens.found import as_json, product_json
from vitrina.lens.rank import Wishes
from vitrina.web.api.routes import PREFIX, PROBLEMS
from vitrina.web.auth import Who, check_key_or_form
from vitrina.web.finding import LARGEST_FORM, LARGEST_PHOTO, find, in_turn, parse_box, parse_price
from vitrina.web.site import TheSite

router = APIRouter(prefix=PREFIX + "/lens", responses=PROBLEMS)


@router.post("/find", max_body_size=LARGEST_FORM, dependencies=[Depends(check_key_or_form)])
async def find_products(
    site: TheSite,
    who: Who,
    photo: UploadFile | None = None,
    box: Annotated[str, Form(description="What is meant: left,top,right,bottom as fractions of the photo.")] = "",
    text: Annotated[str, Form(max_length=200, description="Words that narrow it, or alone.")] = "",
    max_price: Annotated[str, Form(description="With its `currency`.")] = "",
    currency: Annotated[str, Form(description="ISO 4217; offers in it go first.")] = "",
    shop: Annotated[list[str], Form(description="Only these shops.")] = [],  # noqa: B006 - FastAPI copies it
    in_stock: Annotated[bool, Form()] = False,
    limit: Annotated[int, Form(ge=1, le=100)] = 10,
) -> dict[str, Any]:
    """Products like a photo, exact ones apart from similar ones, with their offers, cheapest after cashback first.

    The photo (JPEG, PNG, WebP, AVIF, HEIC; 10 MB at most) is not stored. Needs the scope `lens.find`.
    """
    who.rights.require("lens.find")
    content = photo.file.read(LARGEST_PHOTO + 1) if photo is not None else None
    wishes = Wishes(
        shops=tuple(shop),
        max_price=parse_price(max_price, currency),
        in_stock_only=in_stock,
        currency=currency,
    )
    meant = parse_box(box)
    return as_json(
        await in_turn(
            lambda: find(site, content or None, box=meant, text=text, where=wishes, limit=limit, channel="api")
        )
    )


@router.get("/products/{product_id}")
def one_product(site: TheSite, who: Who, product_id: str) -> dict[str, Any]:
    """A product with every live offer of it, and why they are one."""
    who.rights.require("lens.find")
    return product_json(site.catalog.product(product_id))
