"""The objects of the Salesforce simulator and their fields, as describe names them."""

from __future__ import annotations

from typing import NamedTuple

from sandbox.table import Record


class SObject(NamedTuple):
    """An object: its key prefix, and ``Name:type`` of each field. Types are those of describe."""

    name: str
    label: str
    prefix: str
    fields: tuple[tuple[str, str], ...]


_SYSTEM = (
    "CreatedDate:datetime CreatedById:reference LastModifiedDate:datetime LastModifiedById:reference "
    "SystemModstamp:datetime"
)
_VIEWED = "LastActivityDate:date LastViewedDate:datetime LastReferencedDate:datetime"


def _address(prefix: str) -> str:
    return (
        f"{prefix}Street:textarea {prefix}City:string {prefix}State:string {prefix}PostalCode:string "
        f"{prefix}Country:string {prefix}Latitude:double {prefix}Longitude:double "
        f"{prefix}GeocodeAccuracy:picklist {prefix}Address:address"
    )


def _object(name: str, label: str, prefix: str, fields: str) -> SObject:
    pairs = [field.split(":") for field in fields.split()]
    return SObject(name, label, prefix, tuple((field, kind) for field, kind in pairs))


OBJECTS: dict[str, SObject] = {
    found.name: found
    for found in (
        _object(
            "Account",
            "Account",
            "001",
            "Id:id IsDeleted:boolean MasterRecordId:reference Name:string Type:picklist ParentId:reference "
            f"{_address('Billing')} {_address('Shipping')} Phone:phone Fax:phone AccountNumber:string "
            "Website:url PhotoUrl:url Sic:string Industry:picklist AnnualRevenue:currency "
            "NumberOfEmployees:int Ownership:picklist TickerSymbol:string Description:textarea "
            f"Rating:picklist Site:string OwnerId:reference {_SYSTEM} {_VIEWED} Jigsaw:string "
            "JigsawCompanyId:string AccountSource:picklist SicDesc:string DunsNumber:string "
            "Tradestyle:string NaicsCode:string YearStarted:string",
        ),
        _object(
            "Contact",
            "Contact",
            "003",
            "Id:id IsDeleted:boolean MasterRecordId:reference AccountId:reference LastName:string "
            f"FirstName:string Salutation:picklist Name:string {_address('Other')} {_address('Mailing')} "
            "Phone:phone Fax:phone MobilePhone:phone HomePhone:phone OtherPhone:phone AssistantPhone:phone "
            "ReportsToId:reference Email:email Title:string Department:string AssistantName:string "
            f"LeadSource:picklist Birthdate:date Description:textarea OwnerId:reference {_SYSTEM} {_VIEWED} "
            "EmailBouncedReason:string EmailBouncedDate:datetime IsEmailBounced:boolean PhotoUrl:url "
            "Jigsaw:string JigsawContactId:string IndividualId:reference",
        ),
        _object(
            "Lead",
            "Lead",
            "00Q",
            "Id:id IsDeleted:boolean MasterRecordId:reference LastName:string FirstName:string "
            f"Salutation:picklist Name:string Title:string Company:string {_address('')} Phone:phone "
            "MobilePhone:phone Fax:phone Email:email Website:url PhotoUrl:url Description:textarea "
            "LeadSource:picklist Status:picklist Industry:picklist Rating:picklist AnnualRevenue:currency "
            "NumberOfEmployees:int OwnerId:reference IsConverted:boolean ConvertedDate:date "
            "ConvertedAccountId:reference ConvertedContactId:reference ConvertedOpportunityId:reference "
            f"IsUnreadByOwner:boolean {_SYSTEM} {_VIEWED}",
        ),
        _object(
            "Opportunity",
            "Opportunity",
            "006",
            "Id:id IsDeleted:boolean AccountId:reference IsPrivate:boolean Name:string Description:textarea "
            "StageName:picklist Amount:currency Probability:percent ExpectedRevenue:currency "
            "TotalOpportunityQuantity:double CloseDate:date Type:picklist NextStep:string "
            "LeadSource:picklist IsClosed:boolean IsWon:boolean ForecastCategory:picklist "
            "ForecastCategoryName:picklist CampaignId:reference HasOpportunityLineItem:boolean "
            f"Pricebook2Id:reference OwnerId:reference {_SYSTEM} {_VIEWED} FiscalQuarter:int FiscalYear:int "
            "Fiscal:string ContactId:reference HasOpenActivity:boolean HasOverdueTask:boolean",
        ),
        _object(
            "OpportunityStage",
            "Opportunity Stage",
            "01J",
            "Id:id MasterLabel:string ApiName:string IsActive:boolean SortOrder:int IsClosed:boolean "
            "IsWon:boolean ForecastCategory:picklist ForecastCategoryName:picklist "
            f"DefaultProbability:percent Description:string {_SYSTEM}",
        ),
        _object(
            "Case",
            "Case",
            "500",
            "Id:id IsDeleted:boolean MasterRecordId:reference CaseNumber:string ContactId:reference "
            "AccountId:reference AssetId:reference ParentId:reference SuppliedName:string "
            "SuppliedEmail:email SuppliedPhone:string SuppliedCompany:string Type:picklist Status:picklist "
            "Reason:picklist Origin:picklist Subject:string Priority:picklist Description:textarea "
            f"IsClosed:boolean ClosedDate:datetime IsEscalated:boolean OwnerId:reference {_SYSTEM} "
            "ContactPhone:phone ContactMobile:phone ContactEmail:email Comments:textarea "
            "LastViewedDate:datetime LastReferencedDate:datetime",
        ),
        _object(
            "CaseComment",
            "Case Comment",
            "00a",
            "Id:id ParentId:reference IsPublished:boolean CommentBody:textarea CreatedById:reference "
            "CreatedDate:datetime SystemModstamp:datetime LastModifiedDate:datetime "
            "LastModifiedById:reference IsDeleted:boolean",
        ),
        _object(
            "Task",
            "Task",
            "00T",
            "Id:id WhoId:reference WhatId:reference Subject:combobox ActivityDate:date Status:picklist "
            "Priority:picklist IsHighPriority:boolean OwnerId:reference Description:textarea Type:picklist "
            f"IsDeleted:boolean AccountId:reference IsClosed:boolean {_SYSTEM} IsArchived:boolean "
            "CallDurationInSeconds:int CallType:picklist CallDisposition:string TaskSubtype:picklist "
            "CompletedDateTime:datetime",
        ),
        _object(
            "Event",
            "Event",
            "00U",
            "Id:id WhoId:reference WhatId:reference Subject:combobox Location:string IsAllDayEvent:boolean "
            "ActivityDateTime:datetime ActivityDate:date DurationInMinutes:int StartDateTime:datetime "
            "EndDateTime:datetime EndDate:date Description:textarea AccountId:reference OwnerId:reference "
            "IsPrivate:boolean ShowAs:picklist IsDeleted:boolean IsChild:boolean IsGroupEvent:boolean "
            f"{_SYSTEM} IsArchived:boolean IsRecurrence:boolean EventSubtype:picklist",
        ),
        _object(
            "User",
            "User",
            "005",
            "Id:id Username:string LastName:string FirstName:string Name:string CompanyName:string "
            "Division:string Department:string Title:string Street:textarea City:string State:string "
            "PostalCode:string Country:string Email:email Phone:phone MobilePhone:phone Alias:string "
            "IsActive:boolean TimeZoneSidKey:picklist UserRoleId:reference LocaleSidKey:picklist "
            "ProfileId:reference UserType:picklist EmployeeNumber:string ManagerId:reference "
            f"LastLoginDate:datetime FederationIdentifier:string FullPhotoUrl:url {_SYSTEM}",
        ),
        _object(
            "Product2",
            "Product",
            "01t",
            "Id:id Name:string ProductCode:string Description:textarea IsActive:boolean "
            f"{_SYSTEM} Family:picklist ExternalId:string DisplayUrl:url QuantityUnitOfMeasure:picklist "
            "IsDeleted:boolean IsArchived:boolean StockKeepingUnit:string",
        ),
    )
}
"""By API name. Fields not filled by the world are null, as most are in a real org."""

_SOAP = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double",
    "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime",
    "address": "urn:address",
}  # fmt: skip


def blank(name: str) -> Record:
    """A record of an object with every field: false for booleans, else null."""
    return {field: False if kind == "boolean" else None for field, kind in OBJECTS[name].fields}


def describe_field(name: str, kind: str) -> Record:
    """A field as describe tells it."""
    return {
        "name": name,
        "label": name,
        "type": kind,
        "soapType": _SOAP.get(kind, "xsd:string"),
        "length": {"id": 18, "reference": 18, "textarea": 32000}.get(kind, 255 if kind not in _SOAP else 0),
        "nillable": kind not in ("id", "boolean") and name not in ("Name", "SystemModstamp", "CreatedDate"),
        "filterable": kind not in ("textarea", "address"),
        "sortable": kind not in ("textarea", "address"),
        "createable": kind not in ("id", "address"),
        "updateable": kind not in ("id", "address"),
        "custom": name.endswith("__c"),
        "calculated": False,
        "compoundFieldName": None,
        "deprecatedAndHidden": False,
        "picklistValues": [],
        "referenceTo": [],
    }
